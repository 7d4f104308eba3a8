"""Small turns, slants, stretches and shifts of images, through which gradients flow.

A warp is a matrix: each pixel of the result is a mean of four pixels that lie together in
the image, or of black beyond its edge.
"""

import numpy as np

import minigrad as mg

TURN, SLANT, STRETCH, SHIFT = 0.35, 0.5, 0.3, 3.0  # at most: radians, pixels a pixel, of the logarithm, pixels


def warp(numbers, size):
    """The matrix (size**2, size**2) of a warp, for images as rows, from six numbers in -1..1; all 0: none.

    float32: images (N, size**2) @ warp are the warped ones.

    >>> bool((warp(np.zeros(6), 4) == np.eye(16)).all())
    True
    """
    turn, slant, *stretch = np.array([TURN, SLANT, STRETCH, STRETCH]) * numbers[:4]
    linear = (np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
              @ np.array([[1, slant], [0, 1]]) * np.exp(stretch))
    middle = (size - 1) / 2
    to = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2)  # (x, y), row by row
    source = (to - middle) @ linear.T + middle + SHIFT * np.asarray(numbers[4:])
    matrix = np.zeros((size ** 2, size ** 2), np.float32)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        near = np.floor(source).astype(np.intp) + corner
        inside = ((near >= 0) & (near < size)).all(1)
        matrix[(near @ [1, size])[inside], np.flatnonzero(inside)] = (1 - abs(source - near)).prod(1)[inside]
    return matrix


def warped(images, matrices):
    """Images, a tensor of rows (N, pixels), or (N, C, H, W), under warps, of which each part of them has its own."""
    parts = [(part.reshape(-1, len(matrix)) @ mg.tensor(matrix, device=images.device)).reshape(part.shape)
             for part, matrix in zip(images.chunk(len(matrices)), matrices)]
    return mg.cat(parts)
