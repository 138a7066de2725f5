/* What the kernels' machine code calls beside the C library: numba's runtime functions, by the names its code
 * generator gives them. Only memory: arrays that a kernel makes for itself and lets go before it returns.
 * The code itself reads the first word of a block (its references) and the fourth (its data).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef void (*dtor)(void *data, size_t size, void *info);

typedef struct {
    size_t references;
    dtor end;
    void *info;
    void *data;
    size_t size;
    void *allocator; /* never another than malloc */
} block;

static block *block_about(void *room, void *data, size_t size, dtor end, void *info)
{
    block *made = room;
    *made = (block){1, end, info, data, size, NULL};
    return made;
}

void *lm_NRT_Allocate(size_t size) { return malloc(size); }

void lm_NRT_Free(void *data) { free(data); }

void *lm_NRT_MemInfo_alloc(size_t size)
{
    char *room = malloc(sizeof(block) + size);
    return room ? block_about(room, room + sizeof(block), size, NULL, NULL) : NULL;
}

void *lm_NRT_MemInfo_alloc_aligned(size_t size, unsigned align)
{
    char *room = malloc(sizeof(block) + size + 2 * (size_t)align);
    if (!room) return NULL;
    uintptr_t begin = (uintptr_t)room + sizeof(block);
    uintptr_t over = align ? begin % align : 0;
    return block_about(room, (void *)(over ? begin + align - over : begin), size, NULL, NULL);
}

static void end_apart(void *data, size_t size, void *info)
{
    if (info) ((dtor)info)(data, size, NULL);
    free(data);
}

void *lm_NRT_MemInfo_new_varsize_dtor(size_t size, void *end)
{
    void *data = malloc(size), *room = data ? malloc(sizeof(block)) : NULL;
    if (!room) {
        free(data);
        return NULL;
    }
    return block_about(room, data, size, end_apart, end);
}

void lm_NRT_MemInfo_call_dtor(block *gone)
{
    if (gone->end) gone->end(gone->data, gone->size, gone->info);
    free(gone);
}

/* numpy's rule for a reshape that copies nothing, for arrays that lie in C order or one behind the other. */
int lm_numba_attempt_nocopy_reshape(intptr_t nd, const intptr_t *dims, const intptr_t *strides, intptr_t newnd,
                                    const intptr_t *newdims, intptr_t *newstrides, intptr_t itemsize, int fortran)
{
    intptr_t expected = itemsize, k;
    if (fortran) return 0;
    for (k = nd - 1; k >= 0; k--) {
        if (dims[k] != 1 && strides[k] != expected) return 0;
        expected *= dims[k];
    }
    expected = itemsize;
    for (k = newnd - 1; k >= 0; k--) {
        newstrides[k] = expected;
        expected *= newdims[k];
    }
    return 1;
}

/* Building an exception: a kernel that fails is stopped, and the caller says so. */
void lm_PyErr_SetString(void *kind, const char *words) { (void)kind, (void)words; }
void *lm_PyObject_Hash(void) { abort(); }
void *lm_PyUnicode_FromKindAndData(void) { abort(); }
void *lm_PyTuple_Pack(void) { abort(); }
void *lm_PyExc_RuntimeError;
