"""Prints the instructions of an ELF file in objdump's form, for machines whose objdump does not know the architecture.

usage: disassemble.py x86_64|aarch64 FILE

Needs PyPI's iced-x86 and capstone. What cannot be decoded is printed as "(bad)" or ".inst", as objdump does.
"""

import struct
import sys

EXECUTABLE = 0x4  # SHF_EXECINSTR
PROGBITS = 1  # SHT_PROGBITS


def code_sections(data):
    """Address and bytes of each section that is executed. Sections of an object file begin at 0, all of them."""
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit("not a little-endian 64-bit ELF file")
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    for i in range(count):
        _, kind, flags, address, offset, length = struct.unpack_from("<IIQQQQ", data, table + i * size)
        if kind == PROGBITS and flags & EXECUTABLE:
            yield address, data[offset : offset + length]


def print_x86(address, code, write):
    from iced_x86 import CpuidFeature, Decoder, Formatter, FormatterSyntax

    formatter = Formatter(FormatterSyntax.INTEL)
    formatter.space_after_operand_separator = False
    vex_twins = {CpuidFeature.AVX_VNNI, CpuidFeature.AVX_IFMA}
    for instruction in Decoder(64, code, ip=address):
        text = formatter.format(instruction).replace(" ", "\t", 1) if instruction else "(bad)"
        # Two encodings of one mnemonic: without this prefix it would be taken for the EVEX one.
        prefix = "{vex}\t" if vex_twins & set(instruction.cpuid_features()) else ""
        write(f"{instruction.ip:x}:\t{prefix}{text}\n")


def print_aarch64(address, code, write):
    from capstone import CS_ARCH_ARM64, CS_MODE_ARM, Cs

    decoder = Cs(CS_ARCH_ARM64, CS_MODE_ARM)
    at = 0
    while at < len(code):
        for where, length, mnemonic, operands in decoder.disasm_lite(code[at:], address + at):
            write(f"{where:x}:\t{mnemonic}\t{operands}\n")
            at = where + length - address
        if at < len(code):
            write(f"{address + at:x}:\t.inst\t{code[at : at + 4][::-1].hex()}\n")
            at += 4


def main():
    arch, path = sys.argv[1:]
    with open(path, "rb") as file:
        data = file.read()
    for address, code in code_sections(data):
        (print_x86 if arch == "x86_64" else print_aarch64)(address, code, sys.stdout.write)


main()
