# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What must hold in the CGNAT maps whenever no program runs: every count equals a
# recount, every block has one owner that lists it, every inner end one port.
import abi
from plane import INNER_BASE

IN_USE = (abi.BLOCK_ALLOCATED, abi.BLOCK_DRAINING)


def words(plane):
    """Every port's entry, index = global port."""
    return memoryview(plane.mapping).cast("B").cast("Q")


def entries(plane, block, shift, view):
    """(global port, word) of the entries in use in one block."""
    return [(block.first + offset, word) for offset, word in enumerate(view[block.first:block.first + (1 << shift)])
            if word & 0xf0000]


def blocks(plane):
    """(public address index, block number, block) of every block that was ever given out."""
    for index, address in enumerate(plane.pool_address):
        if not address.address_be:
            continue
        for number in range(65536 >> address.block_shift):
            block = plane.port_block[address.first_block + number]
            if block.state or block.first:
                yield index, number, block


def check_address(plane, index, states):
    """Bits and the free count of one public address."""
    address = plane.pool_address[index]
    count = 65536 >> address.block_shift
    taken = {number for number in range(count) if address.taken[number // 64] >> number % 64 & 1}
    assert address.free_blocks == count - len(taken), f"address {index}: free_blocks"
    held = sum(state == abi.BLOCK_HELD for state in states.values())
    assert address.held_blocks == held, f"address {index}: held_blocks {address.held_blocks}, recounted {held}"
    assert taken >= set(range(address.dynamic_from)), f"address {index}: a bit that is not for dynamic blocks is clear"
    for number, state in states.items():
        assert (number in taken) == (state != abi.BLOCK_FREE or number < address.dynamic_from), \
            f"address {index} block {number}: bit and state differ"


def check_session(plane, slot, owned, ends, moves):
    record = plane.subscriber[slot]
    listed = [first for first in record.block if first]
    assert len(set(listed)) == len(listed), f"slot {slot}: a block listed twice"
    assert set(listed) == owned, f"slot {slot}: blocks listed and owned differ"
    assert moves or len({first >> 16 for first in listed}) <= 1, f"slot {slot}: two public addresses"
    assert record.mappings == len(ends), f"slot {slot}: mappings {record.mappings}, recounted {len(ends)}"
    assert len(set(ends)) == len(ends), f"slot {slot}: an inner end has two ports"
    assert record.lock == 0, f"slot {slot}: lock left"


def check(plane, slots=range(INNER_BASE, INNER_BASE + 4096), moves=False):
    """`moves`: sessions are moved to other addresses and may still hold blocks of old ones."""
    view, owned, ends, states, seen = words(plane), {}, {}, {}, 0
    for index, number, block in blocks(plane):
        shift = plane.pool_address[index].block_shift
        assert block.first == index << 16 | number << shift
        states.setdefault(index, {})[number] = block.state
        found = entries(plane, block, shift, view)
        seen += len(found)
        assert block.used == len(found), f"block {index}/{number}: used {block.used}, recounted {len(found)}"
        if block.state not in IN_USE:
            assert not found, f"block {index}/{number}: mappings, yet nobody's"
            continue
        assert block.generation == plane.subscriber[block.slot].generation
        owned.setdefault(block.slot, set()).add(block.first)
        ends.setdefault(block.slot, []).extend(word & 0xfffff for _, word in found)
    for index, address in enumerate(plane.pool_address):
        if address.address_be:
            check_address(plane, index, states.get(index, {}))
    for slot in {*slots, *owned}:
        if plane.subscriber[slot].state != abi.SUBSCRIBER_FREE or slot in owned:
            check_session(plane, slot, owned.get(slot, set()), ends.get(slot, []), moves)
    return seen
