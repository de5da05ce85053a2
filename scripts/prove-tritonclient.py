"""Asks a Sluice server with Triton's own Python client, over every data type, both forms of a tensor, many requests at once,
the repository calls and the errors. Told HOST:PORT of both listeners; prints what it checked, exits with 1 at the first that fails.
The models are those of scripts/make-models.mjs; what they must answer is known on paper (identity, sums, differences)."""
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1], concurrency=16)
admin = http.InferenceServerClient(sys.argv[2])
random = np.random.default_rng(1)
checks = 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        sys.exit(f"tritonclient: {what} does not hold")


def tensor(name, values, datatype, binary=True):
    return http.InferInput(name, list(values.shape), datatype).set_data_from_numpy(values, binary_data=binary)


def some(datatype, shape):
    if datatype == "BYTES":
        words = [f"\u00e9{random.integers(1_000_000)}".encode() for _ in range(int(np.prod(shape)))]
        return np.array(words, dtype=np.object_).reshape(shape)
    if datatype == "BOOL":
        return random.integers(0, 2, shape).astype(np.bool_)
    if datatype.startswith("FP"):
        return random.normal(size=shape).astype(f"float{datatype[2:]}")
    dtype = np.dtype(datatype.lower())
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def check_identities():
    integers = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
    for datatype in ["BOOL", *integers, "FP16", "FP32", "FP64", "BYTES"]:
        # V2 has no JSON form of FP16.
        forms = (True,) if datatype == "FP16" else (True, False)
        for shape in [(1, 1), (3, 5), (32, 7), (2, 0)]:
            for goes, comes in [(goes, comes) for goes in forms for comes in forms]:
                sent = some(datatype, shape)
                wanted = http.InferRequestedOutput("OUTPUT0", binary_data=comes)
                model = f"identity_{datatype.lower()}"
                answer = client.infer(model, [tensor("INPUT0", sent, datatype, goes)], outputs=[wanted], request_id="q")
                got = answer.as_numpy("OUTPUT0")
                if datatype == "BYTES":
                    texts = [value if isinstance(value, bytes) else value.encode() for value in got.reshape(-1)]
                    got = np.array(texts, dtype=np.object_).reshape(got.shape)
                check(got.shape == sent.shape and np.array_equal(got, sent), f"{model} {shape}, binary {goes} {comes}")
                check(answer.get_response()["id"] == "q", f"the id of {model}")


def check_many_at_once():
    rows = [random.normal(size=(1 + number % 4, 16)).astype(np.float32) for number in range(400)]
    waiting = [
        client.async_infer("add_sub", [tensor("INPUT0", row, "FP32"), tensor("INPUT1", row * 2, "FP32")]) for row in rows
    ]
    for row, answer in zip(rows, waiting):
        result = answer.get_result()
        check(np.array_equal(result.as_numpy("OUTPUT0"), row + row * 2), "a sum among many")
        check(np.array_equal(result.as_numpy("OUTPUT1"), row - row * 2), "a difference among many")


def check_error(ask, status, words):
    try:
        ask()
    except InferenceServerException as error:
        check(error.status() == status and words in error.message(), f"{status} {words} (got {error})")
        return
    check(False, f"an error {status} {words}")


check(client.is_server_live() and client.is_server_ready(), "live and ready")
check(client.is_model_ready("tiny") and not client.is_model_ready("nobody"), "models are ready")
check("binary_tensor_data" in client.get_server_metadata()["extensions"], "the server's extensions")
check([i["name"] for i in client.get_model_metadata("add_sub")["inputs"]] == ["INPUT0", "INPUT1"], "model metadata")
check(client.get_model_config("add_sub")["max_batch_size"] == 64, "the model's configuration")
check_identities()
check_many_at_once()

one = tensor("INPUT0", np.ones((1, 4), np.float32), "FP32")
answer = client.infer("versioned", [one], model_version="1", priority=1, timeout=5_000_000)
check(answer.get_response()["model_version"] == "1", "a version by its number")
check_error(lambda: client.infer("nobody", [one]), "404", "nobody")
check_error(lambda: client.infer("versioned", [one], model_version="9"), "404", "version")
check_error(lambda: client.infer("tiny", [one]), "400", "shape")
check_error(lambda: client.infer("versioned", [one], request_compression_algorithm="gzip"), "415", "gzip")

counts = client.get_inference_statistics("add_sub")["model_stats"][0]
check(counts["inference_stats"]["success"]["count"] == 400 and counts["inference_count"] == 1000, "statistics")
check("rank5" in [model["name"] for model in admin.get_model_repository_index()], "the repository's index")
admin.unload_model("rank5")
check(not client.is_model_ready("rank5"), "an unloaded model is not ready")
admin.load_model("rank5", config=json.dumps({"max_batch_size": 4}))
check(client.get_model_config("rank5")["max_batch_size"] == 4, "a configuration given with the load")
print(f"tritonclient: {checks} checks, none failed")
