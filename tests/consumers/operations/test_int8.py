import pytest

from tests.needed import need_package

torch = need_package("torch", "caption")

from consumers.operations.int8 import Int8Linear, in_int8, pays  # noqa: E402 (it imports torch)


@pytest.mark.parametrize("bias", [True, False])
def test_its_products_are_within_a_hundredth(bias: bool) -> None:
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(64, 32, bias=bias), torch.randn(2, 5, 64)
    exact, ours = linear(x), Int8Linear(linear)(x)
    assert ours.shape == (2, 5, 32)
    assert (exact - ours).norm() / exact.norm() < 0.015


def test_rows_of_very_different_size_and_offset_do_not_disturb_each_other() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 32)
    rows = torch.stack([1e-3 * torch.randn(64), 1e3 * torch.randn(64), 50 + torch.randn(64), torch.zeros(64)])
    exact, ours = linear(rows) - linear.bias, Int8Linear(linear)(rows) - linear.bias
    assert ((exact - ours).norm(dim=1) <= 0.03 * exact.norm(dim=1) + 1e-6).all()


def test_every_linear_layer_of_a_module_is_replaced() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Sequential(torch.nn.GELU(), torch.nn.Linear(8, 4)))
    kinds = [type(layer).__name__ for layer in in_int8(module).modules()]
    assert kinds == ["Sequential", "Int8Linear", "Sequential", "GELU", "Int8Linear"]


def test_whether_it_pays_is_the_processors_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, expected in (({"avx512_vnni": True}, True), ({"avx512_vnni": False, "avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has)
        assert pays() is expected
