"""LLVM's language to an object file, for any machine, through llvmlite's binding."""

from __future__ import annotations

import re
from pathlib import Path

import llvmlite.binding as llvm

# What may stay undefined: the C library's, and what runtime.c stands in for.
C_LIBRARY = set(
    "memcpy memmove memset exp expm1 log log1p log10 log2 pow sqrt floor ceil fabs fmod sin cos tan atan2 "
    "erf erfc lgamma tgamma copysign trunc rint nearbyint round exp2 cosh sinh tanh hypot ldexp frexp".split()
)
RUNTIME = set(
    "NRT_Allocate NRT_Free NRT_MemInfo_alloc NRT_MemInfo_alloc_aligned NRT_MemInfo_new_varsize_dtor "
    "NRT_MemInfo_call_dtor numba_attempt_nocopy_reshape PyErr_SetString PyObject_Hash "
    "PyUnicode_FromKindAndData PyTuple_Pack PyExc_RuntimeError".split()
)
# numba writes this one for the machine it runs on; here it is for every one.
_DECREF = re.compile(r"^define [^\n]*@NRT_decref\(.*?^}\n", re.M | re.S)
_PORTABLE_DECREF = """
define linkonce_odr void @NRT_decref(ptr %block) {
  %none = icmp eq ptr %block, null
  br i1 %none, label %over, label %count
count:
  %before = atomicrmw sub ptr %block, i64 1 acq_rel
  %last = icmp eq i64 %before, 1
  br i1 %last, label %gone, label %over
gone:
  tail call void @NRT_MemInfo_call_dtor(ptr nonnull %block)
  br label %over
over:
  ret void
}
"""


def machine(triple: str, cpu: str, features: str) -> llvm.TargetMachine:
    """Of whom code is made; position independent, for it becomes part of a shared library."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple)
    return target.create_target_machine(cpu=cpu, features=features, opt=3, reloc="pic", codemodel="default")


def write_object(code: str, symbol: str, name: str, maker: llvm.TargetMachine, path: Path) -> None:
    """Compile a program into `path`; its one visible function is called `name`.

    ValueError when it refers to something that neither the C library nor runtime.c has: a new numba may.
    """
    code = _DECREF.sub(lambda _: _PORTABLE_DECREF, code)
    code = re.sub(r'^target (triple|datalayout) = ".*"$', "", code, flags=re.M)
    module = llvm.parse_assembly(f'target triple = "{maker.triple}"\n{code}')
    module.data_layout = str(maker.target_data)
    for function in module.functions:
        if function.name == symbol:
            function.name = name
        elif not function.is_declaration:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    _drop_unused(module, maker)
    for outside in (*module.functions, *module.global_variables):
        if outside.is_declaration and not outside.name.startswith("llvm."):
            if outside.name in RUNTIME:
                outside.name = f"lm_{outside.name}"
            elif outside.name not in C_LIBRARY:
                raise ValueError(f"{name} refers to {outside.name}, which runtime.c does not have")
    module.verify()
    path.write_bytes(maker.emit_object(module))


def _drop_unused(module: llvm.ModuleRef, maker: llvm.TargetMachine) -> None:
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(maker, llvm.create_pipeline_tuning_options()))
