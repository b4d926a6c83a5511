//! From the processor's reset to 64-bit code. This is the beginning of the ROM, so all addresses are relative to it or
//! absolute, and there is no stack.

comptime {
    asm (
        \\    .section .boot, "ax"
        \\    .code16
        \\boot:
        \\    cli
        \\    cld
        \\    lgdtl %cs:(boot_gdt_register - boot)
        \\    movl %cr0, %eax
        \\    orb $1, %al
        \\    movl %eax, %cr0
        \\    ljmpl $0x18, $(0xf0000 + boot_protected - boot)
        \\
        \\    .code32
        \\boot_protected:
        \\    movl $0x10, %eax
        \\    movl %eax, %ds
        \\    movl %eax, %es
        \\    movl %eax, %ss
        // Bochs 3.0 reads the image to the beginning of its pool of memory blocks, wherever the guest wants it, and gives
        // blocks out when they are first touched: touched in order, before anything else, the image's are the right ones.
        \\    movl $0x10000000, %edi
        \\1:  movl (%edi), %eax
        \\    addl $0x10000, %edi
        \\    cmpl $0x18000000, %edi
        \\    jb 1b
        // Page tables for the first GiB in pages of 2 MiB.
        \\    movl $0x1000, %edi
        \\    xorl %eax, %eax
        \\    movl $0xc00, %ecx
        \\    rep stosl
        \\    movl $0x2003, 0x1000
        \\    movl $0x3003, 0x2000
        \\    movl $0x3000, %edi
        \\    movl $0x83, %eax
        \\    movl $512, %ecx
        \\2:  movl %eax, (%edi)
        \\    addl $0x200000, %eax
        \\    addl $8, %edi
        \\    decl %ecx
        \\    jnz 2b
        \\    movl $0x1000, %eax
        \\    movl %eax, %cr3
        // CR4: PAE, OSFXSR, OSXMMEXCPT.
        \\    movl $0x620, %eax
        \\    movl %eax, %cr4
        // EFER: system calls, long mode.
        \\    movl $0xc0000080, %ecx
        \\    rdmsr
        \\    orl $0x101, %eax
        \\    wrmsr
        // CR0: paging, write protection, numeric errors, monitor coprocessor, protected mode.
        \\    movl $0x80010023, %eax
        \\    movl %eax, %cr0
        \\    ljmpl $0x08, $(0xf0000 + boot_long - boot)
        \\
        \\    .code64
        \\boot_long:
        \\    movabsq $loader_stack_top, %rsp
        \\    movabsq $start, %rax
        \\    jmp *%rax
        \\
        \\    .balign 8
        \\boot_gdt:
        \\    .quad 0
        \\    .quad 0x00af9b000000ffff
        \\    .quad 0x00cf93000000ffff
        \\    .quad 0x00cf9b000000ffff
        \\boot_gdt_register:
        \\    .word boot_gdt_register - boot_gdt - 1
        \\    .long 0xf0000 + boot_gdt - boot
        \\    .text
        \\    .bss
        \\    .balign 64
        \\    .skip 65536
        \\loader_stack_top:
        \\    .skip 64
        \\    .text
    );
}
