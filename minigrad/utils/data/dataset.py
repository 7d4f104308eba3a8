"""`minigrad.data` under the name of torch.utils.data.dataset."""

from minigrad.data.loader import Dataset, Subset, TensorDataset, random_split

__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]
