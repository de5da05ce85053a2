"""Trains the digit classifier of examples/models/digits and writes everything that is committed with it.

Set-up, by hand:  pip install scikit-learn numpy
Run:              python scripts/train-digits.py            (about 20 s; needs node and the npm packages)

Learns on 60 % of scikit-learn's handwritten digits (1797 images, 8 x 8, pixels 0..16), chooses among a few settings by
another 20 %, learns again on those 80 % with the chosen setting, and states the accuracy on the last 20 %, which nothing
else looked at. The split is stratified, its seed fixed. The ONNX file is written by scripts/make-models.mjs --digits.
"""

import json
import pathlib
import struct
import subprocess
import tempfile
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
SPLIT_SEED = 2024
BRIGHTEST_PIXEL = 16.0
HIDDEN = (128, 64)
SAMPLE_COUNT = 3


def shifted_copies(pixels, labels):
    """Every image, and the same moved by one pixel in each of four directions."""
    images = pixels.reshape(-1, 8, 8)
    copies = [images]
    for axis, step in [(1, 1), (1, -1), (2, 1), (2, -1)]:
        moved = np.roll(images, step, axis=axis)
        edge = 0 if step > 0 else -1
        if axis == 1:
            moved[:, edge, :] = 0
        else:
            moved[:, :, edge] = 0
        copies.append(moved)
    return np.concatenate(copies).reshape(-1, 64), np.tile(labels, len(copies))


def learn(pixels, labels, decay):
    pixels, labels = shifted_copies(pixels, labels)
    network = MLPClassifier(HIDDEN, alpha=decay, batch_size=64, max_iter=60, n_iter_no_change=60, random_state=1)
    return network.fit(pixels / BRIGHTEST_PIXEL, labels)


def accuracy(network, pixels, labels):
    return float(np.mean(network.predict(pixels / BRIGHTEST_PIXEL) == labels))


def write_model(network, path):
    layers = [
        {"weights": np.float32(weights).tolist(), "biases": np.float32(biases).tolist()}
        for weights, biases in zip(network.coefs_, network.intercepts_)
    ]
    with tempfile.TemporaryDirectory() as folder:
        weights_file = pathlib.Path(folder) / "weights.json"
        weights_file.write_text(json.dumps({"layers": layers}))
        command = ["node", ROOT / "scripts/make-models.mjs", "--digits", weights_file, "--out", path]
        subprocess.run(command, check=True)


def write_requests(folder, pixels, labels):
    """The first held-out images of different digits, as complete V2 requests, in JSON and (the first) in binary."""
    folder.mkdir(parents=True, exist_ok=True)
    _, firsts = np.unique(labels, return_index=True)
    for count, i in enumerate(sorted(firsts)[:SAMPLE_COUNT]):
        label, image = int(labels[i]), pixels[i]
        tensor = {"name": "pixels", "shape": [1, 64], "datatype": "FP32"}
        rows = ",\n".join("      " + ", ".join(f"{int(x):2d}" for x in row) for row in image.reshape(8, 8))
        head = json.dumps(tensor)[:-1]
        (folder / f"digit-{label}.json").write_text(
            '{\n  "id": "digit-%d",\n  "inputs": [\n    %s, "data": [\n%s\n    ]}\n  ]\n}\n' % (label, head, rows)
        )
        if count == 0:
            tensor["parameters"] = {"binary_data_size": 256}
            request = {"id": f"digit-{label}", "parameters": {"binary_data_output": True}, "inputs": [tensor]}
            header = json.dumps(request).encode()
            (folder / f"digit-{label}.bin").write_bytes(header + struct.pack("<64f", *image))
            print(f"digit-{label}.bin: Inference-Header-Content-Length: {len(header)}")


def main():
    # The number of passes is chosen, not waited for.
    warnings.simplefilter("ignore", ConvergenceWarning)
    digits = load_digits()
    known_x, held_x, known_y, held_y = train_test_split(
        digits.data, digits.target, test_size=0.2, stratify=digits.target, random_state=SPLIT_SEED
    )
    learn_x, choose_x, learn_y, choose_y = train_test_split(
        known_x, known_y, test_size=0.25, stratify=known_y, random_state=SPLIT_SEED
    )
    scores = {decay: accuracy(learn(learn_x, learn_y, decay), choose_x, choose_y) for decay in (1e-4, 1e-2, 1e-1)}
    decay = max(scores, key=scores.get)
    print(f"accuracy by weight decay on the 20 % for choosing: {scores}; chosen {decay}")

    network = learn(known_x, known_y, decay)
    right = int(np.sum(network.predict(held_x / BRIGHTEST_PIXEL) == held_y))
    print(f"held-out accuracy: {right} of {len(held_y)} = {right / len(held_y):.4f}")
    write_model(network, EXAMPLES / "models")
    write_requests(EXAMPLES / "requests", held_x, held_y)

    held_out = {"pixels": held_x.astype(int).tolist(), "labels": held_y.tolist()}
    (EXAMPLES / "held-out-digits.json").write_text(json.dumps(held_out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
