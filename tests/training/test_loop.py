import pytest
import torch

from training import courtesy
from training.loop import Average, Loop, learning_rate, save_atomically


def test_learning_rate_warms_up_stays_level_and_falls():
    rates = [learning_rate(1.0, seen, 10_000, 10, 0.5) for seen in range(0, 10_001, 10)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[200] == rates[499] == 1.0
    assert rates[501:] == sorted(rates[501:], reverse=True)
    assert rates[-1] == pytest.approx(0.02)


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_atomically({"seen": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        save_atomically({"seen": 2, "broken": lambda: None}, path)
    assert torch.load(path, weights_only=True) == {"seen": 1}


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    torch.save({"format": 0, "seen": 5}, tmp_path / "checkpoint.pt")
    with pytest.raises(SystemExit, match="another format"):
        Loop("any", tmp_path, 10, 1, {}).load()


def test_swapping_the_average_twice_changes_nothing():
    layer = torch.nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    average = Average(list(layer.parameters()), 0.9)
    with torch.no_grad():
        layer.weight.add_(1)
    average.swap()
    assert torch.equal(layer.weight, before)
    average.swap()
    assert torch.equal(layer.weight, before + 1)


@pytest.mark.parametrize(("busy_cores", "threads"), [(0.0, 2), (1.0, 1)])
def test_courtesy_goes_down_to_one_thread_while_others_work(monkeypatch, busy_cores, threads):
    now = iter((0.0, 10.0, 10.0))
    monkeypatch.setattr(courtesy.time, "monotonic", lambda: next(now))
    used = iter((0.0, 10.0 * busy_cores))
    monkeypatch.setattr(courtesy.Courtesy, "_used", lambda self: next(used))
    chosen = [2]
    monkeypatch.setattr(courtesy.torch, "get_num_threads", lambda: chosen[-1])
    monkeypatch.setattr(courtesy.torch, "set_num_threads", chosen.append)
    courtesy.Courtesy(2)()
    assert chosen[-1] == threads
