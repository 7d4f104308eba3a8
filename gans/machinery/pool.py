"""Pictures of some time ago, for a discriminator that is not to forget what it has seen through."""

import minigrad as mg


class Pool:
    """The last pictures of a generator, in part: half of what D is shown comes from here (Shrivastava et al. 2017).

    Until there are `size` pictures, (H, W, C), each that comes is kept, and shown. From then on, one in two is shown;
    for the other, one that was kept is, which it replaces. Pictures are kept without the graph that made them.
    """

    def __init__(self, size, shape, device="cpu"):
        height, width, channels = shape
        self.kept, self.filled = mg.zeros(size, channels, height, width, device=device), 0

    def __call__(self, pictures, numbers):
        """What D is shown for pictures (N, C, H, W), by uniform numbers (N, 2)."""
        size, shown = len(self.kept), []
        with mg.no_grad():
            for picture, (coin, place) in zip(pictures.detach(), numbers.tolist()):
                if self.filled < size:
                    self.kept[self.filled] = picture
                    self.filled += 1
                elif coin < 0.5 and size:
                    k = int(place * size)
                    picture, self.kept[k] = self.kept[k].clone(), picture
                shown.append(picture)
        return mg.stack(shown)

    def state_dict(self):
        """What a checkpoint holds."""
        return {"kept": self.kept, "filled": self.filled}

    def load_state_dict(self, state):
        """Go on with what a checkpoint held. ValueError if that is for other pictures."""
        if state["kept"].shape != self.kept.shape:
            raise ValueError(f"a pool of {tuple(state['kept'].shape)}, not {tuple(self.kept.shape)}")
        with mg.no_grad():
            self.kept.copy_(state["kept"])
        self.filled = state["filled"]
