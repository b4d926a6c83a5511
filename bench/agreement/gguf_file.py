"""Numbers and F32 tensors of a GGUF file, for PyTorch."""

import numpy
import torch
from gguf import GGUFReader


class File:
    def __init__(self, path):
        self.reader = GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}
        field = self.reader.fields["general.architecture"]
        self.family = bytes(field.parts[field.data[0]]).decode()

    def number(self, key):
        field = self.reader.fields[f"{self.family}.{key}"]
        return field.parts[field.data[0]].tolist()[0]

    def numbers(self, key):
        field = self.reader.fields[f"{self.family}.{key}"]
        return [field.parts[part].tolist()[0] for part in field.data]

    def tensor(self, name):
        found = self.tensors[name]
        shape = [int(size) for size in reversed(found.shape)]
        return torch.from_numpy(numpy.array(found.data, dtype=numpy.float32).reshape(shape))

    def vocabulary(self):
        return int(self.tensors["token_embd.weight"].shape[1])

    def output(self):
        """The output matrix, and whether it is the embedding."""
        tied = "output.weight" not in self.tensors
        return self.tensor("token_embd.weight" if tied else "output.weight"), tied
