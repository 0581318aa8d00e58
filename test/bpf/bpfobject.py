# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A BPF object file, loaded with maps of its own (pins ignored), through libbpf.
#
# Programs run by BPF_PROG_TEST_RUN. Arrays that can be mapped into memory are:
# `object.array(name, Struct)` is the live map.
import ctypes
import errno
import mmap
import os
import struct

u32, u64 = ctypes.c_uint32, ctypes.c_uint64
pointer, size_t, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p

BPF_ANY = 0
BPF_F_TEST_RUN_ON_CPU = 1
BPF_F_TEST_XDP_LIVE_FRAMES = 2
PAGE = mmap.PAGESIZE
PACKET_MAX = 4096


class XdpMd(ctypes.Structure):
    _fields_ = [(name, u32) for name in
                ("data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index", "egress_ifindex")]


class TestRunOpts(ctypes.Structure):
    _fields_ = [("sz", size_t), ("data_in", pointer), ("data_out", pointer), ("data_size_in", u32),
                ("data_size_out", u32), ("ctx_in", pointer), ("ctx_out", pointer), ("ctx_size_in", u32),
                ("ctx_size_out", u32), ("retval", u32), ("repeat", ctypes.c_int), ("duration", u32), ("flags", u32),
                ("cpu", u32), ("batch_size", u32)]


def libbpf_open():
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    signatures = {
        "bpf_object__open_file": (pointer, [text, pointer]),
        "bpf_object__load": (ctypes.c_int, [pointer]),
        "bpf_object__close": (None, [pointer]),
        "bpf_object__next_map": (pointer, [pointer, pointer]),
        "bpf_object__find_program_by_name": (pointer, [pointer, text]),
        "bpf_object__next_program": (pointer, [pointer, pointer]),
        "bpf_program__name": (text, [pointer]),
        "bpf_program__set_autoload": (ctypes.c_int, [pointer, ctypes.c_bool]),
        "bpf_program__fd": (ctypes.c_int, [pointer]),
        "bpf_map__name": (text, [pointer]),
        "bpf_map__fd": (ctypes.c_int, [pointer]),
        "bpf_map__pin_path": (text, [pointer]),
        "bpf_map__set_pin_path": (ctypes.c_int, [pointer, text]),
        "bpf_map__reuse_fd": (ctypes.c_int, [pointer, ctypes.c_int]),
        "bpf_map__set_max_entries": (ctypes.c_int, [pointer, u32]),
        "bpf_map__max_entries": (u32, [pointer]),
        "bpf_map__value_size": (u32, [pointer]),
        "bpf_map__map_flags": (u32, [pointer]),
        "bpf_map_update_elem": (ctypes.c_int, [ctypes.c_int, pointer, pointer, u64]),
        "bpf_map_lookup_elem": (ctypes.c_int, [ctypes.c_int, pointer, pointer]),
        "bpf_map_delete_elem": (ctypes.c_int, [ctypes.c_int, pointer]),
        "bpf_map_get_next_key": (ctypes.c_int, [ctypes.c_int, pointer, pointer]),
        "bpf_map_update_batch": (ctypes.c_int, [ctypes.c_int, pointer, pointer, pointer, pointer]),
        "bpf_map_lookup_batch": (ctypes.c_int, [ctypes.c_int, pointer, pointer, pointer, pointer, pointer, pointer]),
        "bpf_prog_test_run_opts": (ctypes.c_int, [ctypes.c_int, pointer]),
        "libbpf_num_possible_cpus": (ctypes.c_int, []),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


libbpf = libbpf_open()
CPUS = libbpf.libbpf_num_possible_cpus()


def check(result, what):
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


class BpfMap:
    def __init__(self, handle, name):
        self.name = name
        self.fd = libbpf.bpf_map__fd(handle)
        self.entries = libbpf.bpf_map__max_entries(handle)
        self.value_size = libbpf.bpf_map__value_size(handle)

    def update(self, key, value):
        """Both are bytes."""
        check(libbpf.bpf_map_update_elem(self.fd, key, value, BPF_ANY), f"update {self.name}")

    def lookup(self, key):
        value = ctypes.create_string_buffer(self.value_size)
        result = libbpf.bpf_map_lookup_elem(self.fd, key, value)
        return None if result == -errno.ENOENT else check(result, f"lookup {self.name}") or value.raw

    def delete(self, key):
        check(libbpf.bpf_map_delete_elem(self.fd, key), f"delete {self.name}")

    def clear(self, key_size):
        key = ctypes.create_string_buffer(key_size)
        while libbpf.bpf_map_get_next_key(self.fd, None, key) == 0:
            self.delete(key)

    def zero(self):
        """All entries of an array, in one call."""
        count = u32(self.entries)
        keys = struct.pack(f"={self.entries}I", *range(self.entries))
        check(libbpf.bpf_map_update_batch(self.fd, keys, bytes(self.value_size * self.entries), ctypes.byref(count), None),
              f"batch update {self.name}")


class PerCpuCounts:
    """Reads the first `entries` values of a per-CPU array of 64-bit counters in one call."""

    def __init__(self, counter_map, entries):
        self.map = counter_map
        self.entries = entries
        self.width = counter_map.value_size // 8
        self.keys = ctypes.create_string_buffer(4 * entries)
        self.values = ctypes.create_string_buffer(counter_map.value_size * CPUS * entries)
        self.layout = struct.Struct(f"<{self.width * CPUS * entries}Q")
        self.next_key = ctypes.create_string_buffer(4)

    def raw(self):
        count = u32(self.entries)
        result = libbpf.bpf_map_lookup_batch(self.map.fd, None, self.next_key, self.keys, self.values,
                                             ctypes.byref(count), None)
        if result != -errno.ENOENT:
            check(result, f"batch lookup {self.map.name}")
        assert count.value == self.entries
        return self.layout.unpack(self.values.raw)

    def clear(self):
        zero = bytes(self.map.value_size * CPUS)
        for key in range(self.entries):
            self.map.update(struct.pack("=I", key), zero)


class BpfObject:
    def __init__(self, path, max_entries=None, reuse=None, programs=None):
        """`reuse`: {name: BpfMap} of another object, in place of maps of its own. `programs`: no others are loaded."""
        self.handle = libbpf.bpf_object__open_file(str(path).encode(), None)
        if not self.handle:
            raise OSError(ctypes.get_errno(), f"open {path}: build it first (ninja), or set BNG_BUILD")
        self._prepare(max_entries or {}, reuse or {})
        self.loaded = {name for name, _ in self._programs() if programs is None or name in programs}
        for name, handle in self._programs():
            check(libbpf.bpf_program__set_autoload(handle, name in self.loaded), "set autoload")
        check(libbpf.bpf_object__load(self.handle), f"load {path}")
        self.maps = {name: BpfMap(handle, name) for name, handle in zip(self.names, self._map_handles())}
        self.programs = {}
        self.memory = {}
        self._run_prepare()

    def _map_handles(self):
        handle = libbpf.bpf_object__next_map(self.handle, None)
        while handle:
            yield handle
            handle = libbpf.bpf_object__next_map(self.handle, handle)

    def _programs(self):
        handle = libbpf.bpf_object__next_program(self.handle, None)
        while handle:
            yield libbpf.bpf_program__name(handle).decode(), handle
            handle = libbpf.bpf_object__next_program(self.handle, handle)

    def _prepare(self, max_entries, reuse):
        self.names = [libbpf.bpf_map__name(handle).decode() for handle in self._map_handles()]  # reuse_fd changes them
        self.durable = set()  # those that would be pinned
        for name, handle in zip(self.names, self._map_handles()):
            if libbpf.bpf_map__pin_path(handle):
                self.durable.add(name)
            check(libbpf.bpf_map__set_pin_path(handle, None), "unset pin path")
            entries = max_entries.get(name)
            if name in reuse:
                check(libbpf.bpf_map__set_max_entries(handle, reuse[name].entries), "set max entries")
                check(libbpf.bpf_map__reuse_fd(handle, reuse[name].fd), f"reuse {name}")
            elif entries:
                check(libbpf.bpf_map__set_max_entries(handle, entries), "set max entries")

    def _run_prepare(self):
        self.data_in = ctypes.create_string_buffer(PACKET_MAX)
        self.data_out = ctypes.create_string_buffer(PACKET_MAX)
        self.context = XdpMd()
        self.opts = TestRunOpts(sz=ctypes.sizeof(TestRunOpts), data_in=ctypes.addressof(self.data_in),
                                data_out=ctypes.addressof(self.data_out), ctx_in=ctypes.addressof(self.context),
                                ctx_size_in=ctypes.sizeof(self.context), repeat=1)
        self.no_packet = TestRunOpts(sz=ctypes.sizeof(TestRunOpts))

    def program(self, name):
        if name not in self.programs:
            handle = libbpf.bpf_object__find_program_by_name(self.handle, name.encode())
            assert handle, f"no program {name}"
            self.programs[name] = libbpf.bpf_program__fd(handle)
        return self.programs[name]

    def run_xdp(self, program, frame, ifindex):
        """(XDP action, frame afterwards)."""
        size = len(frame)
        ctypes.memmove(self.data_in, frame, size)
        opts, context = self.opts, self.context
        context.data_end, context.ingress_ifindex = size, ifindex
        opts.data_size_in, opts.data_size_out = size, PACKET_MAX
        check(libbpf.bpf_prog_test_run_opts(self.program(program), ctypes.addressof(opts)), f"run {program}")
        return opts.retval, ctypes.string_at(self.data_out, opts.data_size_out)

    def run_xdp_live(self, program, frame, ifindex):
        """With the action carried out."""
        data, context = ctypes.create_string_buffer(frame, len(frame)), XdpMd(data_end=len(frame), ingress_ifindex=ifindex)
        opts = TestRunOpts(sz=ctypes.sizeof(TestRunOpts), data_in=ctypes.addressof(data), data_size_in=len(frame),
                           ctx_in=ctypes.addressof(context), ctx_size_in=ctypes.sizeof(context), repeat=1,
                           flags=BPF_F_TEST_XDP_LIVE_FRAMES, batch_size=1)
        check(libbpf.bpf_prog_test_run_opts(self.program(program), ctypes.addressof(opts)), f"run {program} live")

    def run_syscall(self, program):
        check(libbpf.bpf_prog_test_run_opts(self.program(program), ctypes.addressof(self.no_packet)),
              f"run {program}")
        return self.no_packet.retval

    def runner(self, program, frame, ifindex):
        """A function that runs this frame and returns the XDP action; each may be called by a thread of its own."""
        fd, data = self.program(program), ctypes.create_string_buffer(frame, len(frame))
        context = XdpMd(data_end=len(frame), ingress_ifindex=ifindex)
        opts = TestRunOpts(sz=ctypes.sizeof(TestRunOpts), data_in=ctypes.addressof(data), data_size_in=len(frame),
                           ctx_in=ctypes.addressof(context), ctx_size_in=ctypes.sizeof(context), repeat=1)

        def run(keep=(data, context)):
            check(libbpf.bpf_prog_test_run_opts(fd, ctypes.addressof(opts)), f"run {program}")
            return opts.retval
        return run

    def run_raw(self, program, cpu):
        """A raw tracepoint program, on that CPU: with interrupts off, unless it is the caller's."""
        opts = TestRunOpts(sz=ctypes.sizeof(TestRunOpts), flags=BPF_F_TEST_RUN_ON_CPU, cpu=cpu)
        check(libbpf.bpf_prog_test_run_opts(self.program(program), ctypes.addressof(opts)), f"run {program}")
        return opts.retval

    def array(self, name, element):
        """The map's memory as an array of `element`."""
        item = self.maps[name]
        assert ctypes.sizeof(element) == -(-item.value_size // 8) * 8, name  # the kernel's place for a value
        size = -(-ctypes.sizeof(element) * item.entries // PAGE) * PAGE
        self.memory[name] = mmap.mmap(item.fd, size)
        return (element * item.entries).from_buffer(self.memory[name])

    def close(self):
        libbpf.bpf_object__close(self.handle)
        self.handle = None


class RingBuffer:
    """Reads records of a BPF ring buffer map; what is not read stays in it."""
    BUSY, DISCARD, HEADER = 1 << 31, 1 << 30, 8

    def __init__(self, item):
        self.size = item.entries
        self.consumer = mmap.mmap(item.fd, PAGE)
        self.shared = mmap.mmap(item.fd, PAGE + 2 * self.size, prot=mmap.PROT_READ, offset=PAGE)

    def _position(self, memory):
        return struct.unpack_from("=Q", memory)[0]

    def read(self):
        position, end, records = self._position(self.consumer), self._position(self.shared), []
        while position < end:
            start = PAGE + (position & (self.size - 1))
            header = struct.unpack_from("=I", self.shared, start)[0]
            assert not header & self.BUSY, "a record is being written, yet no program runs"
            length = header & ~(self.BUSY | self.DISCARD)
            if not header & self.DISCARD:
                records.append(self.shared[start + self.HEADER:start + self.HEADER + length])
            position += (length + self.HEADER + 7) & ~7
        struct.pack_into("=Q", self.consumer, 0, position)
        return records
