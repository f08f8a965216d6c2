// What:        one kernel per PTX wrapper of mma.cuh: registers and bytes in as the host arranged them, out as the wrapper left them.
// Launch:      one warp.
// Launched by: test_fragments.py, on the emulator and on a GPU.
#include "include/common.cuh"
#include "include/mma.cuh"

// Row r of the four matrices lies at place[r], and lane r gives that address.
extern "C" __global__ void check_ldmatrix_x4(const uint4* rows, const int* place, unsigned* out) {
    __shared__ uint4 tile[32];
    int lane = threadIdx.x;
    tile[place[lane]] = rows[lane];
    __syncthreads();
    unsigned r[4];
    ldmatrix_x4(r, &tile[place[lane]]);
    for (int i = 0; i < 4; i++) out[4 * lane + i] = r[i];
}

extern "C" __global__ void check_mma_16816(const unsigned* a, const unsigned* b, const float* d, float* out) {
    int lane = threadIdx.x;
    unsigned ra[4], rb[2];
    float rd[4];
    for (int i = 0; i < 4; i++) ra[i] = a[4 * lane + i];
    for (int i = 0; i < 2; i++) rb[i] = b[2 * lane + i];
    for (int i = 0; i < 4; i++) rd[i] = d[4 * lane + i];
    mma_16816(rd, ra, rb);
    for (int i = 0; i < 4; i++) out[4 * lane + i] = rd[i];
}

// Each lane copies `bytes` from its own offset, behind each other, into a tile of 0xEE.
extern "C" __global__ void check_copy_async(const char* src, const i64* from, const int* ok, int bytes, uint4* out) {
    __shared__ uint4 tile[32];
    int lane = threadIdx.x;
    tile[lane] = make_uint4(0xEEEEEEEEu, 0xEEEEEEEEu, 0xEEEEEEEEu, 0xEEEEEEEEu);
    __syncthreads();
    char* to = reinterpret_cast<char*>(tile) + lane * bytes;
    const char* at = src + from[lane];
    if (bytes == 4) copy_async<4>(to, at, ok[lane]);
    if (bytes == 8) copy_async<8>(to, at, ok[lane]);
    if (bytes == 16) copy_async<16>(to, at, ok[lane]);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    out[lane] = tile[lane];
}

// Three groups on their way; after each wait, only what must have arrived is read, by another lane than copied it.
extern "C" __global__ void check_copy_groups(const uint4* src, uint4* out) {
    __shared__ uint4 tile[3][32];
    int lane = threadIdx.x, other = 31 - lane;
    for (int i = 0; i < 3; i++) {
        copy_async<16>(&tile[i][lane], &src[32 * i + lane], true);
        copy_commit();
    }
    copy_wait<2>();
    __syncthreads();
    out[other] = tile[0][other];
    copy_wait<1>();
    __syncthreads();
    out[32 + other] = tile[1][other];
    copy_wait<0>();
    __syncthreads();
    out[64 + other] = tile[2][other];
}
