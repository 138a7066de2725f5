/* A Python extension around kernels built ahead. `Kernel(name, function, late)` is called as the function is:
 * the first entry of that name whose types the arguments have is run without the interpreter's lock; where
 * there is none, `late()` gives what to call instead, once.
 */
#define PY_SSIZE_T_CLEAN
#include <stddef.h>
#include <Python.h>
#include <stdint.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#define KNOWN 6 /* objects of one type that are remembered for an argument */

typedef struct {
    char what;     /* a array, r record, i integer, b boolean, f float, t tuple of `count` that follow */
    char strided;  /* array: any strides, which are handed over; else only what is contiguous */
    char writable; /* array: the kernel writes to it */
    char aligned;  /* array: numbers must be aligned */
    int number;    /* array of numbers: numpy's type; integer: its size, negative when unsigned; tuple: count */
    int layout;    /* array or record: index of its layout, -1 for plain numbers */
    int count;     /* array: dimensions */
} slot;

typedef struct {
    const char *name;
    int64_t (*call)(void **, int64_t *, double *);
    const slot *slots;
    int arguments;       /* of the call; tuples have further slots */
    int tuples;          /* whether the result is a tuple */
    const char *results; /* i, b or f each */
    PyObject *(*known)[KNOWN]; /* by slot: types seen to fit, the newest first */
} entry;

#include "table.h" /* ENTRIES, LAYOUTS, PLACES, TARGET, DIGEST, REQUIRES, MADE_WITH */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static PyObject *layout_of; /* a function: numpy's type to words */

typedef struct {
    void *pointers[PLACES];
    int64_t integers[PLACES];
    double floats[PLACES];
    int p, i, f;
} packed;

/* Whether the type has the layout: by its object, else by its words. */
static int fits(PyArray_Descr *type, int layout, PyObject **known)
{
    for (int k = 0; k < KNOWN && known[k]; k++)
        if (known[k] == (PyObject *)type) return 1;
    PyObject *words = layout_of ? PyObject_CallOneArg(layout_of, (PyObject *)type) : NULL;
    const char *told = words ? PyUnicode_AsUTF8(words) : NULL;
    int same = told && strcmp(told, LAYOUTS[layout]) == 0;
    Py_XDECREF(words);
    PyErr_Clear();
    if (!same) return 0;
    Py_XDECREF(known[KNOWN - 1]);
    memmove(known + 1, known, (KNOWN - 1) * sizeof *known);
    known[0] = Py_NewRef((PyObject *)type);
    return 1;
}

static int pack_array(PyObject *value, const slot *form, PyObject **known, packed *to)
{
    if (!PyArray_CheckExact(value)) return 0;
    PyArrayObject *array = (PyArrayObject *)value;
    if (PyArray_NDIM(array) != form->count) return 0;
    if (!form->strided && !PyArray_IS_C_CONTIGUOUS(array)) return 0;
    if (form->writable && !PyArray_ISWRITEABLE(array)) return 0;
    if (form->layout < 0) {
        if (PyArray_TYPE(array) != form->number || PyArray_ISBYTESWAPPED(array)) return 0;
        if (form->aligned && !PyArray_ISALIGNED(array)) return 0;
    } else if (!fits(PyArray_DESCR(array), form->layout, known))
        return 0;
    to->pointers[to->p++] = PyArray_DATA(array);
    for (int k = 0; k < form->count; k++) to->integers[to->i++] = PyArray_DIM(array, k);
    if (form->strided)
        for (int k = 0; k < form->count; k++) to->integers[to->i++] = PyArray_STRIDE(array, k);
    return 1;
}

static int pack_record(PyObject *value, const slot *form, PyObject **known, packed *to)
{
    if (!PyArray_IsScalar(value, Void)) return 0;
    PyVoidScalarObject *record = (PyVoidScalarObject *)value;
    if (!fits((PyArray_Descr *)record->descr, form->layout, known)) return 0;
    to->pointers[to->p++] = record->obval;
    return 1;
}

static int pack_integer(PyObject *value, const slot *form, packed *to)
{
    int overflow = 0;
    if (PyLong_CheckExact(value)) {
        if (form->number != 8) return 0;
        to->integers[to->i++] = PyLong_AsLongLongAndOverflow(value, &overflow);
        return !overflow;
    }
    switch (form->number) {
    case 8:
        if (!PyArray_IsScalar(value, Int64)) return 0;
        to->integers[to->i++] = PyArrayScalar_VAL(value, Int64);
        return 1;
    case 4:
        if (!PyArray_IsScalar(value, Int32)) return 0;
        to->integers[to->i++] = PyArrayScalar_VAL(value, Int32);
        return 1;
    case -1:
        if (!PyArray_IsScalar(value, UInt8)) return 0;
        to->integers[to->i++] = PyArrayScalar_VAL(value, UInt8);
        return 1;
    default:
        return 0;
    }
}

static int pack_boolean(PyObject *value, packed *to)
{
    if (!PyBool_Check(value) && !PyArray_IsScalar(value, Bool)) return 0;
    to->integers[to->i++] = value == Py_True || (!PyBool_Check(value) && PyArrayScalar_VAL(value, Bool));
    return 1;
}

/* Packs a value; returns the slot after it, or NULL where it is of another type. */
static const slot *pack(PyObject *value, const entry *of, const slot *form, packed *to)
{
    PyObject **known = of->known[form - of->slots];
    switch (form->what) {
    case 'a':
        return pack_array(value, form, known, to) ? form + 1 : NULL;
    case 'r':
        return pack_record(value, form, known, to) ? form + 1 : NULL;
    case 'i':
        return pack_integer(value, form, to) ? form + 1 : NULL;
    case 'b':
        return pack_boolean(value, to) ? form + 1 : NULL;
    case 'f':
        if (!PyFloat_Check(value)) return NULL;
        to->floats[to->f++] = PyFloat_AS_DOUBLE(value);
        return form + 1;
    default: {
        int count = form->number;
        if (!PyTuple_CheckExact(value) || PyTuple_GET_SIZE(value) != count) return NULL;
        form++;
        for (int k = 0; k < count && form; k++) form = pack(PyTuple_GET_ITEM(value, k), of, form, to);
        return form;
    }
    }
}

static PyObject *unpack(char kind, packed *from)
{
    if (kind == 'f') return PyFloat_FromDouble(from->floats[from->f++]);
    if (kind == 'b') return PyBool_FromLong(from->integers[from->i++] != 0);
    return PyLong_FromLongLong(from->integers[from->i++]);
}

static PyObject *result(const entry *of, packed *from)
{
    Py_ssize_t count = (Py_ssize_t)strlen(of->results);
    from->i = from->f = 0;
    if (!count) Py_RETURN_NONE;
    if (!of->tuples) return unpack(of->results[0], from);
    PyObject *made = PyTuple_New(count);
    for (Py_ssize_t k = 0; made && k < count; k++) {
        PyObject *part = unpack(of->results[k], from);
        if (!part) Py_CLEAR(made);
        else PyTuple_SET_ITEM(made, k, part);
    }
    return made;
}

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *name, *function, *late, *dispatcher;
    entry *first; /* of the entries of this name, which stand together */
    int count;
} Kernel;

static PyObject *kernel_dispatcher(Kernel *self, void *Py_UNUSED(closure))
{
    if (!self->dispatcher) self->dispatcher = PyObject_CallNoArgs(self->late);
    return Py_XNewRef(self->dispatcher);
}

static PyObject *kernel_call(PyObject *object, PyObject *const *given, size_t nargsf, PyObject *names)
{
    Kernel *self = (Kernel *)object;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    packed room;
    for (entry *one = self->first; one < self->first + self->count && !names; one++) {
        if (one->arguments != count) continue;
        const slot *form = one->slots;
        room.p = room.i = room.f = 0;
        for (Py_ssize_t k = 0; k < count && form; k++) form = pack(given[k], one, form, &room);
        if (!form) continue;
        int64_t failed;
        Py_BEGIN_ALLOW_THREADS
        failed = one->call(room.pointers, room.integers, room.floats);
        Py_END_ALLOW_THREADS
        if (!failed) return result(one, &room);
        return PyErr_Format(PyExc_RuntimeError, "kernel %U failed: out of memory, or arrays that do not fit each other",
                            self->name);
    }
    PyObject *dispatcher = kernel_dispatcher(self, NULL);
    PyObject *made = dispatcher ? PyObject_Vectorcall(dispatcher, given, nargsf, names) : NULL;
    Py_XDECREF(dispatcher);
    return made;
}

static PyObject *kernel_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "function", "late", NULL};
    PyObject *name, *function, *late;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOO", names, &name, &function, &late)) return NULL;
    const char *wanted = PyUnicode_AsUTF8(name);
    Kernel *self = wanted ? (Kernel *)type->tp_alloc(type, 0) : NULL;
    if (!self) return NULL;
    self->vectorcall = kernel_call;
    self->name = Py_NewRef(name);
    self->function = Py_NewRef(function);
    self->late = Py_NewRef(late);
    for (size_t k = 0; k < COUNT(ENTRIES); k++) {
        if (strcmp(ENTRIES[k].name, wanted) != 0) continue;
        if (!self->count++) self->first = ENTRIES + k;
    }
    return (PyObject *)self;
}

static int kernel_traverse(Kernel *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->late);
    Py_VISIT(self->dispatcher);
    return 0;
}

static int kernel_clear(Kernel *self)
{
    Py_CLEAR(self->function);
    Py_CLEAR(self->late);
    Py_CLEAR(self->dispatcher);
    return 0;
}

static void kernel_dealloc(Kernel *self)
{
    PyObject_GC_UnTrack(self);
    kernel_clear(self);
    Py_CLEAR(self->name);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *kernel_repr(Kernel *self) { return PyUnicode_FromFormat("<kernel %U>", self->name); }

/* Name, module and documentation are the function's. */
static PyObject *kernel_attribute(PyObject *object, PyObject *name)
{
    PyObject *found = PyObject_GenericGetAttr(object, name);
    if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
    PyErr_Clear();
    return PyObject_GetAttr(((Kernel *)object)->function, name);
}

static PyObject *kernel_function(Kernel *self, void *Py_UNUSED(closure)) { return Py_NewRef(self->function); }

static PyObject *kernel_doc(Kernel *self, void *Py_UNUSED(closure))
{
    return PyObject_GetAttrString(self->function, "__doc__");
}

static PyObject *kernel_entries(Kernel *self, void *Py_UNUSED(closure)) { return PyLong_FromLong(self->count); }

static PyGetSetDef kernel_getset[] = {
    {"py_func", (getter)kernel_function, NULL, "the Python function", NULL},
    {"__wrapped__", (getter)kernel_function, NULL, NULL, NULL},
    {"__doc__", (getter)kernel_doc, NULL, NULL, NULL},
    {"dispatcher", (getter)kernel_dispatcher, NULL, "what compiles it when it is called", NULL},
    {"entries", (getter)kernel_entries, NULL, "for how many types of arguments it was built ahead", NULL},
    {NULL},
};

static PyTypeObject KernelType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "kernels.Kernel",
    .tp_basicsize = sizeof(Kernel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC,
    .tp_vectorcall_offset = offsetof(Kernel, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = kernel_new,
    .tp_traverse = (traverseproc)kernel_traverse,
    .tp_clear = (inquiry)kernel_clear,
    .tp_dealloc = (destructor)kernel_dealloc,
    .tp_repr = (reprfunc)kernel_repr,
    .tp_getattro = kernel_attribute,
    .tp_getset = kernel_getset,
};

static PyObject *set_layout_of(PyObject *Py_UNUSED(module), PyObject *function)
{
    Py_XSETREF(layout_of, Py_NewRef(function));
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_layout_of", set_layout_of, METH_O, "the function that puts a type's layout in words"},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "kernels", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit_kernels(void)
{
    import_array();
    if (PyType_Ready(&KernelType) < 0) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (!module || PyModule_AddObjectRef(module, "Kernel", (PyObject *)&KernelType) < 0 ||
        PyModule_AddStringConstant(module, "target", TARGET) < 0 ||
        PyModule_AddStringConstant(module, "digest", DIGEST) < 0 ||
        PyModule_AddStringConstant(module, "requires", REQUIRES) < 0 ||
        PyModule_AddStringConstant(module, "made_with", MADE_WITH) < 0)
        return NULL;
    return module;
}
