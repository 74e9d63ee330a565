"""What photo, label and readers together say of each class. N photos, M readers, K classes.

Chosen over CROWDLAB and ActiveLab by `benchmarks/readers.py`, whose peers they are: both take the flags for one more reader, and of the
doubtful photos, where a person is asked because the flags do not know, they follow the flags too far.
"""

import numpy as np

LOOK_ALIKES = 5  # classes among which a reader's wrong answers fall: whoever errs takes one of a few for it, and two may take the same
ERRED, READ = 1.5, 10  # of a reader of whom nothing is known: so many wrong answers in so many
ROUNDS = 30
ENOUGH = 1e-4  # change of the error rates at which they stand


def posterior(labels: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the probability of each class [N, K], rows sum to 1; each reader's rate of error [M]).

    Dawid and Skene's model (1979) with one rate of error a reader, and the flags' probabilities in place of the classes' frequencies, by
    expectation-maximisation. labels: float [N, M], 0..K-1, NaN where the reader was not asked; probs: [N, K], none of them 0.
    """
    asked = np.isfinite(labels)
    said = np.where(asked, labels, 0).astype(int)
    photo = np.arange(len(labels))
    errors = np.full(labels.shape[1], ERRED / READ)
    for _ in range(ROUNDS):
        log = np.log(probs)
        for reader in range(labels.shape[1]):
            gain = np.log(1 - errors[reader]) - np.log(errors[reader] / LOOK_ALIKES)  # of the class that is said over each other one
            log[photo, said[:, reader]] += np.where(asked[:, reader], gain, 0)
        together = np.exp(log - log.max(axis=1, keepdims=True))
        together /= together.sum(axis=1, keepdims=True)
        wrong = (1 - together[photo[:, None], said]) * asked
        before, errors = errors, (wrong.sum(axis=0) + ERRED) / (asked.sum(axis=0) + READ)
        if np.abs(errors - before).max(initial=0) < ENOUGH:
            break
    return together, errors
