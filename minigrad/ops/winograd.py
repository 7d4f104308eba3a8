"""A convolution whose windows overlap by half, with 9/16 of the products: Winograd's F(2x2, 2x2).

Where the kernel is twice the stride, as in a DCGAN, a row of blocks of `stride` pixels is convolved with two taps,
block by block. Two neighbouring outputs of it take three products of blocks instead of four (Karatsuba's trick;
Winograd 1980, Lavin & Gray 2016):

    y0 = x0 w0 + x1 w1        m = (x0 - x1) w0,  x1 (w0 + w1),  (x1 - x2) w1
    y1 = x1 w0 + x2 w1        y = m0 + m1,  m1 - m2

Done along both axes this is 9 products for a tile of 2x2 outputs instead of 16. Only sums are added, so that rounding
stays what it was. The three linear maps, image to (x0 - x1, x1, x1 - x2), weight to (w0, w0 + w1, w1), and m to y, and
their transposes serve all three convolution ops; `conv.Windows` is the same thing without the trick.
"""

from minigrad.backend import array_module, backend_of
from minigrad.backend.threads import ROWS

LEAST_CHANNELS = 32  # of a block and of the output: fewer, and the sums cost more than the products they save
LEAST_WINDOWS = 512  # in the batch: fewer, and the sums of weights do
LEAST_USED = 0.8  # of the tiles: a 7x7 output takes 16 tiles for 8x8, and the products saved go into what is not used


def applies(geometry, count, channels, outputs):
    """Whether the trick can be done with this geometry, and pays for `count` images."""
    (kh, kw), (sh, sw), windows = geometry.kernel, geometry.stride, geometry.windows
    used, tiled = windows[0] * windows[1], (windows[0] + windows[0] % 2) * (windows[1] + windows[1] % 2)
    return (kh == 2 * sh and kw == 2 * sw and geometry.dilation == (1, 1) and min(windows) > 1 and
            min(channels * sh * sw, outputs) >= LEAST_CHANNELS and count * used >= LEAST_WINDOWS and
            used >= LEAST_USED * tiled)


def _image(x, out):
    """Along the first axis, of length 2 T + 1: three arrays of length T."""
    xp, (left, middle, right) = array_module(x), (x[:-1:2], x[1::2], x[2::2])
    xp.subtract(left, middle, out=out[0])
    out[1][...] = middle
    xp.subtract(middle, right, out=out[2])


def _image_transposed(v, out):
    xp, middle = array_module(v), out[1::2]
    out[0] = v[0][0]
    xp.subtract(v[0][1:], v[2][:-1], out=out[2:-1:2])
    xp.negative(v[2][-1], out=out[-1])
    xp.subtract(v[1], v[0], out=middle)
    middle += v[2]


def _weight(w, out):
    out[0] = w[0]
    array_module(w).add(w[0], w[1], out=out[1])
    out[2] = w[1]


def _weight_transposed(u, out):
    xp = array_module(u)
    xp.add(u[0], u[1], out=out[0])
    xp.add(u[1], u[2], out=out[1])


def _output(m, out):
    xp = array_module(m)
    xp.add(m[0], m[1], out=out[0])
    xp.subtract(m[1], m[2], out=out[1])


def _output_transposed(y, out):
    xp = array_module(y)
    out[0] = y[0]
    xp.add(y[0], y[1], out=out[1])
    xp.negative(y[1], out=out[2])


class Tiles:
    """The six maps for one geometry, in the layouts of `conv.Windows`: 9 matrices where that has one."""

    def __init__(self, geometry):
        self.geometry = geometry
        self.tiles = tuple(-(-n // 2) for n in geometry.windows)

    def sizes(self, images, outputs):
        """Of one image: the rows of each matrix, the values in all 9, and the multiply-adds of the products."""
        rows, (sh, sw) = self.tiles[0] * self.tiles[1], self.geometry.stride
        values = 9 * rows * sh * sw * images // self.geometry.groups
        return rows, values, values * outputs

    def compiled(self, x, images, outputs):
        """There is no compiled form: None."""

    def _blocks(self, xp, count, channels, dtype):
        """Zeros for `count` padded images, and the same memory as rows of blocks (N, 2 T + 1, s, 2 Q + 1, s C)."""
        (sh, sw), (t, q) = self.geometry.stride, self.tiles
        padded = xp.zeros((count, (2 * t + 1) * sh, (2 * q + 1) * sw, channels), dtype)
        return padded, padded.reshape(count, 2 * t + 1, sh, 2 * q + 1, sw * channels)

    def _inside(self, padded):
        """The part of the padded images that is the image; it may end early, where no window reads."""
        (top, _), (left, _) = self.geometry.padding
        h, w = self.geometry.image
        return padded[:, top:top + h, left:left + w]

    def spread_image(self, x):
        """(N, C, H, W) to (9, N * tiles, s * s * C)."""
        xp, (n, c) = array_module(x), x.shape[:2]
        (sh, sw), (t, q) = self.geometry.stride, self.tiles
        padded, blocks = self._blocks(xp, n, c, x.dtype)
        inside = self._inside(padded)
        inside[...] = x.transpose(0, 2, 3, 1)[:, :inside.shape[1], :inside.shape[2]]
        down = xp.empty((3, n, t, sh, 2 * q + 1, sw * c), x.dtype)  # first the axis whose rows stay whole
        _image(blocks.transpose(1, 0, 2, 3, 4), down.transpose(0, 2, 1, 3, 4, 5))
        both = xp.empty((3, 3, n, t, q, sh, sw * c), x.dtype)
        _image(down.transpose(4, 0, 1, 2, 3, 5), both.transpose(1, 4, 0, 2, 3, 5, 6))
        return both.reshape(9, n * t * q, -1)

    def gather_image(self, m, u, out):
        """The products M U, (9, N * tiles, s * s * C), through the transpose of spread_image, into out (N, C, H, W)."""
        v = backend_of(m).products(m, u)
        xp, (n, c) = array_module(v), out.shape[:2]
        (sh, sw), (t, q) = self.geometry.stride, self.tiles
        both = v.reshape(3, 3, n, t, q, sh, sw * c)
        down = xp.empty((3, n, t, sh, 2 * q + 1, sw * c), v.dtype)
        _image_transposed(both.transpose(1, 4, 0, 2, 3, 5, 6), down.transpose(4, 0, 1, 2, 3, 5))
        padded, blocks = self._blocks(xp, n, c, v.dtype)
        _image_transposed(down.transpose(0, 2, 1, 3, 4, 5), blocks.transpose(1, 0, 2, 3, 4))
        inside, out = self._inside(padded), out.transpose(0, 2, 3, 1)
        if inside.shape != out.shape:
            out[...] = 0
        out[:, :inside.shape[1], :inside.shape[2]] = inside

    def _for_outputs(self, part, w):
        """part(slice) for blocks of the first axis of a weight (O, C, kh, kw)."""
        values = 6 * w[0].size
        backend_of(w).for_blocks(part, len(w), ROWS, values, values)

    def spread_weight(self, w):
        """(O, C, kh, kw) to (9, O, s * s * C)."""
        xp, (o, c, _, _) = array_module(w), w.shape
        sh, sw = self.geometry.stride
        both = xp.empty((3, 3, o, sh, sw * c), w.dtype)
        taps = w.transpose(0, 2, 3, 1).reshape(o, 2, sh, 2, sw * c)

        def part(i):
            across = xp.empty((3, *taps[i].shape[:3], sw * c), w.dtype)
            _weight(taps[i].transpose(3, 0, 1, 2, 4), across)
            _weight(across.transpose(2, 0, 1, 3, 4), both[:, :, i])

        self._for_outputs(part, w)
        return both.reshape(9, o, -1)

    def gather_weight(self, u, out):
        """The transpose of spread_weight, into out (O, C, kh, kw), whose memory is channels-last."""
        xp, (o, c, _, _) = array_module(u), out.shape
        sh, sw = self.geometry.stride
        both, taps = u.reshape(3, 3, o, sh, sw * c), out.transpose(0, 2, 3, 1).reshape(o, 2, sh, 2, sw * c)

        def part(i):
            across = xp.empty((3, *taps[i].shape[:3], sw * c), u.dtype)
            _weight_transposed(both[:, :, i], across.transpose(2, 0, 1, 3, 4))
            _weight_transposed(across, taps[i].transpose(3, 0, 1, 2, 4))

        self._for_outputs(part, out)

    def gather_output(self, m, out):
        """(9, N * tiles, O) to out (N, O, OH, OW): the sums of products that are the outputs."""
        xp, (n, o, h, w), (t, q) = array_module(m), out.shape, self.tiles
        down = xp.empty((2, 3, n, t, q, o), m.dtype)
        _output(m.reshape(3, 3, n, t, q, o), down)
        y = out.transpose(0, 2, 3, 1)
        whole = y if (h, w) == (2 * t, 2 * q) else xp.empty((n, 2 * t, 2 * q, o), m.dtype)
        _output(down.transpose(1, 0, 2, 3, 4, 5), whole.reshape(n, t, 2, q, 2, o).transpose(4, 2, 0, 1, 3, 5))
        if whole is not y:
            y[...] = whole[:, :h, :w]

    def spread_output(self, y):
        """The transpose of gather_output: (N, O, OH, OW) to (9, N * tiles, O)."""
        xp, (n, o, h, w), (t, q) = array_module(y), y.shape, self.tiles
        y = y.transpose(0, 2, 3, 1)
        if (h, w) != (2 * t, 2 * q):
            whole = xp.zeros((n, 2 * t, 2 * q, o), y.dtype)
            whole[:, :h, :w] = y
            y = whole
        down = xp.empty((2, 3, n, t, q, o), y.dtype)
        _output_transposed(y.reshape(n, t, 2, q, 2, o).transpose(4, 2, 0, 1, 3, 5), down.transpose(1, 0, 2, 3, 4, 5))
        both = xp.empty((3, 3, n, t, q, o), y.dtype)
        _output_transposed(down, both)
        return both.reshape(9, n * t * q, o)
