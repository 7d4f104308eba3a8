"""The demos' training steps, written once for both libraries: `torch` is minigrad or PyTorch, by the same names.

Each case is a function (torch, array) -> (networks, step): `array` makes a float32 tensor of a NumPy array; `step(i)`
does training step i and returns its losses. Data and noise come from NumPy, the same for both.
"""

import numpy as np

BATCHES = 16  # different batches, used in turn, so that no data loading is timed


def pattern1010(torch, array):
    """The 1010 GAN of gans/pattern1010.py, one sample a step."""
    nn = torch.nn
    D = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    G = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 4), nn.Sigmoid())
    optimiser_d, optimiser_g = torch.optim.SGD(D.parameters(), lr=0.01), torch.optim.SGD(G.parameters(), lr=0.01)
    loss = nn.MSELoss()
    one, zero, half = array(np.ones(1)), array(np.zeros(1)), array(np.full(1, 0.5))
    rng = np.random.default_rng(0)
    real = [array(rng.random(4) * 0.2 + [0.8, 0, 0.8, 0]) for _ in range(BATCHES)]

    def step(i):
        d_real = loss(D(real[i % BATCHES]), one)
        optimiser_d.zero_grad()
        d_real.backward()
        optimiser_d.step()
        d_fake = loss(D(G(half).detach()), zero)
        optimiser_d.zero_grad()
        d_fake.backward()
        optimiser_d.step()
        g = loss(D(G(half)), one)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        return d_real, d_fake, g

    return (D, G), step


def mnist_book(batch):
    """The book's MNIST GAN (gans/mnist.py --recipe book), `batch` images a step; for 1, unbatched as in the book."""
    def case(torch, array):
        nn = torch.nn
        D = nn.Sequential(nn.Linear(784, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 1), nn.Sigmoid())
        G = nn.Sequential(nn.Linear(100, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 784), nn.Sigmoid())
        optimiser_d = torch.optim.Adam(D.parameters(), lr=0.0001)
        optimiser_g = torch.optim.Adam(G.parameters(), lr=0.0001)
        loss = nn.BCELoss()
        rows = () if batch == 1 else (batch,)
        ones, zeros = array(np.ones((*rows, 1))), array(np.zeros((*rows, 1)))
        rng = np.random.default_rng(0)
        real = [array(rng.random((*rows, 784))) for _ in range(BATCHES)]
        noise = [array(rng.normal(size=(*rows, 100))) for _ in range(2 * BATCHES)]

        def step(i):
            d_real = loss(D(real[i % BATCHES]), ones)
            optimiser_d.zero_grad()
            d_real.backward()
            optimiser_d.step()
            d_fake = loss(D(G(noise[2 * i % BATCHES]).detach()), zeros)
            optimiser_d.zero_grad()
            d_fake.backward()
            optimiser_d.step()
            g = loss(D(G(noise[(2 * i + 1) % BATCHES])), ones)
            optimiser_g.zero_grad()
            g.backward()
            optimiser_g.step()
            return d_real, d_fake, g

        return (D, G), step

    return case


def mnist_steady(torch, array, batch=64):
    """The default recipe of gans/mnist.py, 64 images a step."""
    nn = torch.nn
    G = nn.Sequential(nn.Linear(100, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 784), nn.Sigmoid())
    D = nn.Sequential(nn.Linear(784, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 1))
    optimiser_d = torch.optim.Adam(D.parameters(), 1e-3, betas=(0.5, 0.999))
    optimiser_g = torch.optim.Adam(G.parameters(), 1e-3, betas=(0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = array(np.ones((batch, 1))), array(np.zeros((batch, 1)))
    rng = np.random.default_rng(0)
    real = [array(rng.random((batch, 784))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(batch, 100))) for _ in range(BATCHES)]
    directions = [array(rng.normal(size=(batch, 784))) for _ in range(BATCHES)]

    def step(i):
        fake, answers = G(noise[i % BATCHES]), D(real[i % BATCHES])
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach()), zeros)
        d = d_real + d_fake
        if i % 4 == 0:
            nearby = real[i % BATCHES] + 0.3 * directions[i % BATCHES]
            d = d + 0.4 * (((D(nearby) - answers) / 0.3) ** 2).mean()
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()
        D.requires_grad_(False)
        g = loss(D(fake), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        D.requires_grad_(True)
        return d_real, d_fake, g

    return (D, G), step


CASES = {
    "1010": (pattern1010, 2000),  # the step, and how many to time at once
    "mnist-batch-1": (mnist_book(1), 300),
    "mnist-batch-64": (mnist_book(64), 60),
    "mnist-steady-64": (mnist_steady, 60),
}
