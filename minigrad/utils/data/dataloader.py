"""`minigrad.data` under the name of torch.utils.data.dataloader."""

from minigrad.data.loader import DataLoader, default_collate

__all__ = ["DataLoader", "default_collate"]
