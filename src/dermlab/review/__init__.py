"""The review of doubtful labels by a person: `queue` is what is asked, `page` the page that asks, `merge` what becomes of the answers."""
