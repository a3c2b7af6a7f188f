"""HDF5 files of somebody who means harm: attributes that make a folder when they are unpickled."""

import os
import pickle

import h5py
import numpy as np


class Harm:
    """Its pickle makes a folder: the marker that code was run."""

    def __init__(self, marker):
        self._marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self._marker,)


def write_text_attribute(node, name, data, fixed=True):
    """Write bytes as an attribute that is text in ASCII, of fixed or variable length, as PyTables writes pickles."""
    if name in node.attrs:
        del node.attrs[name]
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(data) if fixed else h5py.h5t.VARIABLE)
    attribute = h5py.h5a.create(node.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    if fixed:
        attribute.write(np.array(data, f"V{len(data)}"), mtype=kind)
    else:
        attribute.write(np.array(data, h5py.string_dtype("ascii")))


def plant(path, node, name, marker, protocol=0, fixed=True):
    """Put a harmful attribute into a file."""
    with h5py.File(path, "a") as file:
        write_text_attribute(file[node], name, pickle.dumps(Harm(marker), protocol), fixed)
