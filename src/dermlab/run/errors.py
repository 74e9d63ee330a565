"""Errors a user can act on. Each message says what was wrong, where, and what to do."""


class DermlabError(Exception):
    """Any mistake a user can mend; printed as one paragraph, without a traceback."""


class ParamsError(DermlabError):
    """params.yaml or an `-S` override holds an unknown key or a value that is not valid."""


class SourceError(DermlabError):
    """The images or tables at the source are missing, moved, unsafe or cannot be read."""


class ContractError(DermlabError):
    """A table or file handed from one stage to the next does not hold what the contract says."""


class BudgetError(DermlabError):
    """A resource ran out or would run out: disk, memory, time, money."""
