"""What a pull request's comment says of its results."""
