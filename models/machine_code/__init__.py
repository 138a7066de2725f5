"""How kernels become machine code: from a library built ahead, or compiled by numba as they are called."""
