#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A server of version 0.2.3 of the protocol, for single images in OCI layouts: bare-server.py --sockfd N
# What it does and what it leaves out is told in docs/writing-a-server.md.
import hashlib, itertools, json, os, socket, sys, threading

numbers, images, pipes, started = itertools.count(1), {}, {}, []

def write(fd, errors, data, size):  # in a thread, so that other requests are served while the reader takes its time
    try:
        assert size == len(data), f"the blob has {len(data)} bytes, not {size}"
        while data:
            data = data[os.write(fd, data):]
    except Exception as error:
        errors.append(error)

def open_image(reference):
    transport, layout, *tag = reference.split(":")
    assert transport == "oci", f"no images of the transport {transport}"
    [entry] = [entry for entry in json.load(open(f"{layout}/index.json"))["manifests"]
               if not tag or entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag[0]]
    images[number := next(numbers)] = layout, entry["digest"]
    return number,

def blob(image, digest):
    data = open(f"{images[image][0]}/blobs/{digest.replace(':', '/')}", "rb").read()
    algorithm = digest.split(":")[0]
    assert digest == f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", f"the data is not that of {digest}"
    return data

def config(image, member=None):
    document = json.loads(blob(image, json.loads(blob(image, images[image][1]))["config"]["digest"]))
    assert "rootfs" in document, "this is no config of an image"
    data = json.dumps(document[member] if member else document).encode()
    return None, data, len(data)

def get_manifest(image):
    data = blob(image, images[image][1])
    assert "config" in json.loads(data), "this is no manifest of one image"
    return images[image][1], data, len(data)

def finish_pipe(number):  # only now does the reader see the end
    fd, errors, thread = pipes.pop(number)
    thread.join()
    os.close(fd)
    assert not errors, errors[0]
    return None,

methods = {  # each returns its value and, for a pipe, the data and the size that it should have
    "Initialize": lambda: (started.append(True) or "0.2.3",),
    "OpenImage": open_image,
    "CloseImage": lambda image: (images.pop(image) and None,),
    "GetManifest": get_manifest,
    "GetConfig": lambda image: config(image, "config"),
    "GetFullConfig": lambda image: config(image),
    "GetBlob": lambda image, digest, size: (size, blob(image, digest), size + 0),  # a number, no string
    "FinishPipe": finish_pipe,
}

def answer(packet):
    text = packet.decode(errors="replace")
    request = {key.lower(): value for key, value in json.loads(text, parse_constant=int).items()}  # int("NaN") fails
    method, arguments = request["method"], request.get("args") or []
    if method == "Shutdown":
        os._exit(0)
    assert bool(started) == (method != "Initialize") or method == "FinishPipe", "Initialize comes first, and once"
    call = methods[method]
    assert all(type(argument) in (int, str) for argument in arguments), "arguments are numbers and strings"
    return call(*arguments)

client = socket.socket(fileno=os.dup(int(sys.argv[sys.argv.index("--sockfd") + 1])))
assert client.family == socket.AF_UNIX, "the socket is of another kind"
while packet := client.recv(32768):  # of what is longer the rest is lost, and then it is no JSON
    reply, ends = {"success": True, "value": None, "pipeid": 0, "error_code": "", "error": ""}, []
    try:
        reply["value"], *data = answer(packet)
        if data:
            ends, errors, reply["pipeid"] = os.pipe(), [], next(numbers)
            thread = threading.Thread(target=write, args=(ends[1], errors, *data), daemon=True)
            pipes[reply["pipeid"]] = ends[1], errors, thread
            thread.start()
    except Exception as error:
        reply |= {"success": False, "error_code": "other", "error": f"{type(error).__name__}: {error}"}
    socket.send_fds(client, [json.dumps(reply).encode()], ends[:1])
    for fd in ends[:1]:
        os.close(fd)
os._exit(0)  # whatever the threads still wait for
