"""CNNFactorRegressor on a GPU: windows a second, against what the card can multiply.

    python benchmarks/bench_cnn_gpu.py [--n-items 20000] [--batch-sizes 256 1024 2048]

For each batch size: training with frames on the device (float16 and uint8) and read
from the host, as it is and compiled; windows a second of a pass after the first, the
share of the card's own rate at large bfloat16 products (202 million multiplications and
additions of a window, forward and backward), and the most memory taken. Starvation is
the time of a pass with frames from the host over that with frames on the device. Last,
predictions of one network on CPU and GPU are compared.

Without a GPU, ``--device cpu --n-items 256 --batch-sizes 64`` runs every path but
measures nothing of interest.
"""

import argparse
import platform
import time

import numpy as np
import torch

import skcoldstart
from skcoldstart import CNNFactorRegressor, RaggedArray

FLOP_OF_A_WINDOW = 201.9e6  # default network, 50 factors, forward and backward
N_FRAMES, N_MELS, N_FACTORS = 1249, 128, 50


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--n-items", type=int, default=20_000)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[256, 1024, 2048])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args()


def product_rate(device):
    """Return the rate of large bfloat16 products, in FLOP/s."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    synchronize(device)
    started = time.perf_counter()
    for _ in range(10):
        a @ a
    synchronize(device)
    return 10 * 2 * n**3 / (time.perf_counter() - started)


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def train(frames, factors, args, **options):
    """Return the model, the median seconds of a pass, and the peak of memory."""
    cuda = args.device.startswith("cuda")
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = CNNFactorRegressor(
        max_epochs=args.epochs,
        validation_fraction=0,
        lr_schedule="constant",
        device=args.device,
        random_state=0,
        **options,
    ).fit(frames, factors)
    # The first pass compiles and fills caches.
    seconds = float(np.median(model.history_[:, "dur"][1:]))
    peak = torch.cuda.max_memory_allocated() if cuda else 0
    return model, seconds, peak


def main():
    args = parse_arguments()
    device = torch.device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"skcoldstart {skcoldstart.__version__}, torch {torch.__version__}, {name}, "
        f"Python {platform.python_version()}"
    )
    rng = np.random.default_rng(0)
    values = rng.standard_normal((args.n_items * N_FRAMES, N_MELS), np.float32)
    frames = RaggedArray(
        values.astype(np.float16), np.arange(args.n_items + 1) * N_FRAMES
    )
    del values
    factors = rng.standard_normal((args.n_items, N_FACTORS), np.float32)
    rate = product_rate(device)
    print(f"bfloat16 products: {rate / 1e12:.1f} TFLOP/s")
    for batch_size in args.batch_sizes:
        seconds = {}
        for compiled in (False, True):
            for storage in ("float16", "uint8", "host"):
                model, took, peak = train(
                    frames,
                    factors,
                    args,
                    batch_size=batch_size,
                    device_storage=storage,
                    compile=compiled,
                )
                seconds[storage] = took
                windows = args.n_items / took
                print(
                    f"B = {batch_size:5}  {'compiled' if compiled else 'eager':<8} "
                    f"{storage:<7} {windows:10.0f} windows/s  "
                    f"{windows * FLOP_OF_A_WINDOW / rate:6.1%} of products  "
                    f"{peak / 2**30:6.2f} GiB  loss "
                    f"{model.history_[-1, 'train_loss']:.4f}",
                    flush=True,
                )
            print(f"starvation {seconds['host'] / seconds['float16']:.2f}")
    compare(frames[:64], factors[:64], args)


def compare(frames, factors, args):
    """Print how far predictions of one network are apart on CPU and GPU."""
    options = {"max_epochs": 2, "validation_fraction": 0, "random_state": 0}
    model = CNNFactorRegressor(**options, device="cpu").fit(frames, factors)
    expected = model.predict(frames)
    scale = expected.std()
    for precision in ("float32", "bfloat16"):
        model.net_.set_params(device=args.device)
        model.net_.module_.to(args.device)
        model.net_.precision = precision
        found = model.predict(frames)
        print(
            f"{args.device} in {precision} against the CPU in float32: "
            f"{np.abs(found - expected).max() / scale:.2e} of their deviation"
        )


if __name__ == "__main__":
    main()
