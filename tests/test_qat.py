"""Quantization-aware training with torch.ao.quantization: all on the device, with the losses of the CPU."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import mpsops

# torch.ao.quantization announces its own end from most of its functions, and warns of an argument that
# its own defaults pass.
pytestmark = [
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max to specify the range:UserWarning"),
]

STEPS = 6
FUSED = "aten::_fused_moving_avg_obs_fq_helper"


@pytest.fixture(scope="module")
def ao() -> Iterator[Any]:
    quantization = pytest.importorskip("torch.ao.quantization")
    pytest.importorskip("torch.ao.quantization.quantize_fx")
    pytest.importorskip("torch.ao.quantization._learnable_fake_quantize")
    return quantization


class Net(nn.Module):
    """conv-bn-relu, which training quantizes as one, a residual addition, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.bn2 = nn.BatchNorm2d(8)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.linear = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.linear(self.pool(x).flatten(1))


CONV_BN = [["conv1", "bn1", "relu1"], ["conv2", "bn2"]]


def prepared(ao: Any, qconfig: Any) -> nn.Module:
    model = nn.Sequential(ao.QuantStub(), Net(), ao.DeQuantStub()).train()
    ao.fuse_modules_qat(model[1], CONV_BN, inplace=True)
    model.qconfig = qconfig
    return ao.prepare_qat(model, inplace=True)


def prepared_by_fx(ao: Any, backend: str) -> nn.Module:
    mapping = ao.get_default_qat_qconfig_mapping(backend)
    return ao.quantize_fx.prepare_qat_fx(Net().train(), mapping, (torch.randn(1, 3, 8, 8),))


def learnable(ao: Any, channel_len: int = -1, **options: Any) -> Any:
    module = ao._learnable_fake_quantize._LearnableFakeQuantize
    return module.with_args(channel_len=channel_len, use_grad_scaling=True, **options)


def learnable_weight(ao: Any, channels: int) -> Any:
    return learnable(
        ao,
        channels,
        observer=ao.MovingAveragePerChannelMinMaxObserver,
        quant_min=-128,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
    )


def learnable_qconfig(ao: Any) -> Any:
    return ao.QConfig(
        activation=learnable(
            ao,
            observer=ao.MovingAverageMinMaxObserver,
            quant_min=0,
            quant_max=255,
            dtype=torch.quint8,
            qscheme=torch.per_tensor_affine,
        ),
        weight=learnable_weight(ao, channels=8),
    )


def learnable_model(ao: Any) -> nn.Module:
    model = prepared(ao, learnable_qconfig(ao))
    # One number of channels for all weights: the last layer gets its own.
    weight = ao.QConfig(
        activation=model.qconfig.activation,
        weight=learnable_weight(ao, channels=5),
    )
    model[1].linear.weight_fake_quant = weight.weight()
    return model


def static_first(module: nn.Module) -> None:
    if hasattr(module, "enable_static_estimate"):
        module.enable_static_estimate()


def then_learned(module: nn.Module) -> None:
    if hasattr(module, "enable_param_learning"):
        module.enable_param_learning()


def train(
    make: Callable[[], nn.Module], device: str, halfway: Callable[[nn.Module], None]
) -> tuple[list[float], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = make().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    inputs = torch.randn(STEPS, 16, 3, 8, 8)
    labels = torch.randint(0, 5, (STEPS, 16))
    losses = []
    for step in range(STEPS):
        if step == STEPS // 2:
            model.apply(halfway)
        loss = nn.functional.cross_entropy(model(inputs[step].to(device)), labels[step].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: tensor.cpu() for name, tensor in model.state_dict().items()}


def check_run(make: Callable[[], nn.Module], halfway: Callable[[nn.Module], None]) -> set[str]:
    """Losses and state are as on the CPU, which has no part in the run on the device. The ops that ran."""
    expected, expected_state = train(make, "cpu", halfway)
    mpsops.reset_counts()
    if mpsops._C.runtime == "sim":
        mpsops.simulator.reset_counts()
    losses, state = train(make, "mps", halfway)
    assert not mpsops.cpu_path_calls()
    if mpsops._C.runtime == "sim":
        assert mpsops.simulator.fallback_calls() == {}
    assert all(torch.tensor(losses).isfinite())
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    for name, tensor in state.items():
        torch.testing.assert_close(
            tensor, expected_state[name], rtol=1e-3, atol=1e-3, equal_nan=True, msg=name
        )
    return {row.name for row in mpsops.ops() if row.calls}


@pytest.mark.parametrize("backend", ["fbgemm", "qnnpack", "x86"])
def test_fused_observers(ao: Any, backend: str) -> None:
    """Halfway the observers are switched off and the statistics of batch norm are frozen, as recipes do."""

    def freeze(module: nn.Module) -> None:
        ao.disable_observer(module)
        torch.ao.nn.intrinsic.qat.freeze_bn_stats(module)

    ran = check_run(lambda: prepared(ao, ao.get_default_qat_qconfig(backend)), freeze)
    assert FUSED in ran


def test_a_step_waits_for_nothing(ao: Any) -> None:
    model = prepared(ao, ao.get_default_qat_qconfig("fbgemm")).to("mps")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = torch.randn(16, 3, 8, 8, device="mps"), torch.randint(0, 5, (16,), device="mps")
    with torch.autograd.profiler.profile() as profile:
        for _ in range(2):
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert not [event for event in profile.key_averages() if event.key == "aten::_local_scalar_dense"]


def test_fused_observers_before_quantization(ao: Any) -> None:
    """The first half observes only."""

    def make() -> nn.Module:
        return prepared(ao, ao.get_default_qat_qconfig("fbgemm")).apply(ao.disable_fake_quant)

    assert FUSED in check_run(make, ao.enable_fake_quant)


def test_separate_observers(ao: Any) -> None:
    ran = check_run(
        lambda: prepared(ao, ao.get_default_qat_qconfig("fbgemm", version=0)), ao.disable_observer
    )
    assert "aten::fake_quantize_per_channel_affine_cachemask" in ran
    assert "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams" in ran


def test_learnable_parameters(ao: Any) -> None:
    """Half of the run with the observers' estimates, half with learned scales and zero points."""

    def make() -> nn.Module:
        return learnable_model(ao).apply(static_first)

    ran = check_run(make, then_learned)
    kinds = ("per_tensor_affine", "per_channel_affine")
    names = {f"aten::_fake_quantize_learnable_{kind}{end}" for kind in kinds for end in ("", "_backward")}
    assert names <= ran


@pytest.mark.parametrize("backend", ["fbgemm", "qnnpack"])
def test_graph_mode(ao: Any, backend: str) -> None:
    assert FUSED in check_run(lambda: prepared_by_fx(ao, backend), ao.disable_observer)


@pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
def test_trained_model_converts(ao: Any) -> None:
    """What was trained on the device becomes the quantized model that training on the CPU gives."""
    x = torch.randn(4, 3, 8, 8)
    results = []
    for device in ("cpu", "mps"):
        torch.manual_seed(0)
        model = prepared(ao, ao.get_default_qat_qconfig("fbgemm")).to(device)
        for step in range(3):
            model(x.to(device) * step)
        results.append(ao.convert(model.eval().to("cpu"))(x))
    torch.testing.assert_close(results[1], results[0])
