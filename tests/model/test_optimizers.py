"""In a process of its own: in this one, another test may have imported the compiler."""

import subprocess
import sys

SCRIPT = """\
import sys, torch
from dermlab.model.optimizers import eager

def fitted(kind, **how):
    torch.manual_seed(0)
    weights = torch.randn(3, requires_grad=True)
    solver = kind([weights], **how)
    def loss():
        solver.zero_grad()
        value = (weights - 1).square().sum()
        value.backward()
        return value
    solver.step(loss)
    solver.load_state_dict(solver.state_dict())
    solver.step(loss)
    return weights.tolist()

kinds = {torch.optim.AdamW: {"fused": True}, torch.optim.LBFGS: {}}
ours = [fitted(eager(kind), **how) for kind, how in kinds.items()]
assert "torch._dynamo" not in sys.modules
assert ours == [fitted(kind, **how) for kind, how in kinds.items()]
"""


def test_an_eager_optimizer_takes_the_same_steps_and_imports_no_compiler():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
