"""`minigrad.data` under PyTorch's name: `from minigrad.utils.data import Dataset, DataLoader`."""

from minigrad.absent import names_of
from minigrad.data.loader import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split
from minigrad.utils.data import dataloader, dataset

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "dataloader", "dataset", "default_collate",
           "random_split"]
__getattr__ = names_of(__name__)
