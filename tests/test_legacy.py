"""Old spellings, and the GPU's functions on a machine that has none."""

import numpy as np
import pytest

import minigrad as mg
import minigrad.cuda
from minigrad.autograd import Variable

needs_no_gpu = pytest.mark.skipif(mg.cuda.is_available(), reason="says what happens without a GPU")


@pytest.fixture
def defaults():
    yield
    mg.set_default_dtype(mg.float32)
    mg.set_default_device(None)


@pytest.mark.parametrize("name, dtype", [
    ("FloatTensor", "f4"), ("DoubleTensor", "f8"), ("HalfTensor", "f2"), ("LongTensor", "i8"), ("IntTensor", "i4"),
    ("ShortTensor", "i2"), ("CharTensor", "i1"), ("ByteTensor", "u1"), ("BoolTensor", "?")])
def test_tensor_types_make_tensors(name, dtype):
    kind = getattr(mg, name)
    assert kind([0, 1]).dtype == dtype and kind([0, 1]).tolist() == [0, 1]
    assert kind(2, 3).shape == (2, 3) and kind(2, 3).dtype == dtype and kind().shape == (0,)
    assert isinstance(kind([1]), kind) and not isinstance(np.ones(1, dtype), kind)
    assert mg.zeros(2).type(kind).dtype == dtype
    assert name in repr(kind)


def test_tensor_types_convert_what_books_give_them():
    assert mg.FloatTensor(np.arange(3)).dtype == "f4" and mg.FloatTensor([[1, 2]]).shape == (1, 2)
    assert mg.FloatTensor([np.float64(0.5)] * 2).dtype == "f4" and mg.LongTensor(mg.ones(2)).tolist() == [1, 1]
    assert mg.Tensor([1, 2]).dtype == "f4" and mg.Tensor(2, 3).shape == (2, 3)


def test_the_default_tensor_type_is_dtype_and_device(defaults):
    for kind in (mg.DoubleTensor, "torch.DoubleTensor", "DoubleTensor"):
        mg.set_default_tensor_type(mg.FloatTensor)
        assert mg.zeros(1).dtype == "f4"
        mg.set_default_tensor_type(kind)
        assert mg.zeros(1).dtype == mg.tensor(1.0).dtype == mg.nn.Linear(1, 1).weight.dtype == "f8"
        assert mg.FloatTensor([1.0]).dtype == "f4"
    mg.set_default_tensor_type(mg.Tensor)
    assert mg.zeros(1).dtype == "f4"
    with pytest.raises(ValueError, match="unknown type 'torch.QuadTensor'"):
        mg.set_default_tensor_type("torch.QuadTensor")
    with pytest.raises(TypeError, match="not a floating dtype"):
        mg.set_default_tensor_type(mg.LongTensor)


def test_a_variable_is_the_tensor():
    x = mg.ones(2)
    assert Variable(x) is x and mg.autograd.Variable is Variable
    y = Variable(x, requires_grad=True)
    (y * y).sum().backward()
    assert y.grad.tolist() == [2, 2] and not x.requires_grad and y.array is x.array


def test_generators_of_ones_own():
    def draw(seed):
        return mg.utils.data.random_split(range(9), [4, 5], generator=mg.Generator().manual_seed(seed))[0].indices

    assert draw(1) == draw(1) != draw(2)


def test_state_dicts_are_saved_without_pickle(tmp_path):
    model = mg.nn.Linear(2, 1)
    mg.save(model.state_dict(), tmp_path / "model.pth")
    other = mg.nn.Linear(2, 1)
    other.load_state_dict(mg.load(tmp_path / "model.pth", map_location="cpu", weights_only=True))
    assert (other.weight == model.weight).all()
    for thing in (model, {"epoch": 3}):
        with pytest.raises(TypeError, match=r"save model\.state_dict\(\)"):
            mg.save(thing, tmp_path / "model.pth")


@needs_no_gpu
def test_without_a_gpu_nothing_is_available_and_nothing_is_used():
    cuda = minigrad.cuda
    assert not cuda.is_available() and cuda.device_count() == 0
    assert cuda.memory_allocated() == cuda.max_memory_allocated("cuda") == cuda.memory_reserved(mg.device("cpu")) == 0
    assert cuda.empty_cache() is cuda.reset_peak_memory_stats() is cuda.manual_seed_all(1) is None
    assert "0.0 MiB" in cuda.memory_summary()
    for call in (lambda: cuda.get_device_name(0), cuda.synchronize, cuda.current_device,
                 lambda: cuda.FloatTensor([1.0]), lambda: mg.set_default_tensor_type(cuda.FloatTensor),
                 lambda: mg.ones(1).type(cuda.FloatTensor),
                 lambda: mg.set_default_tensor_type("torch.cuda.FloatTensor"), lambda: mg.ones(1).cuda()):
        with pytest.raises(RuntimeError, match="no GPU can be used here; install CuPy"):
            call()


@pytest.mark.skipif(not mg.cuda.is_available(), reason="needs a GPU and CuPy")
def test_with_a_gpu_memory_is_counted(defaults):
    cuda, before = minigrad.cuda, minigrad.cuda.memory_allocated()
    x = cuda.FloatTensor(2**20)
    assert isinstance(x, cuda.FloatTensor) and not isinstance(x, mg.FloatTensor)
    assert cuda.memory_allocated() >= before + 2**22 and cuda.max_memory_allocated() >= cuda.memory_allocated()
    assert cuda.device_count() > 0 and cuda.get_device_name() and mg.ones(2).type(cuda.FloatTensor).is_cuda
    cuda.synchronize()
    mg.set_default_tensor_type(cuda.FloatTensor)
    assert mg.zeros(2).is_cuda and not mg.FloatTensor([1.0]).is_cuda
    del x
    cuda.reset_peak_memory_stats()
    assert cuda.memory_allocated() <= before + 2**10
