import torch

from dermlab.train.average import Average


def test_the_average_follows_the_weights_at_its_own_pace():
    model = torch.nn.Linear(1, 1, bias=False)
    average = Average(model, 0.9)
    for value in (1.0, 2.0, 3.0):
        model.weight.data.fill_(value)
        average.update(model)
    expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 3  # the first weights are where it starts
    assert torch.allclose(average.of(model).weight, torch.tensor([[expected]]))
    assert model.weight.item() == 3.0


def test_an_average_goes_on_from_its_state():
    model = torch.nn.Linear(2, 2)
    whole = Average(model, 0.5)
    whole.update(model)
    resumed = Average(model, 0.5, whole.state())
    model.weight.data.add_(1)
    for average in (whole, resumed):
        average.update(model)
    assert torch.equal(whole.of(model).weight, resumed.of(model).weight)


def test_without_a_decay_there_is_none():
    model = torch.nn.Linear(2, 2)
    average = Average(model, 0.0)
    average.update(model)
    assert average.of(model) is model
    assert average.state() == {}
