// What:        nothing, for a while: keeps the GPU busy until the host has given it everything that is to be timed
//              for turns: one multiply-add that waits for the one before; not unrolled, as the compiler would fold turns into one
// Layout:      out, one number that is written only to keep the loop alive
// Launch:      one block of one thread
// Launched by: gpucnn/backends/cuda/cupy_driver.py, CupyDriver.time
// Source:      without a head start the time between two events is the host's, not the GPU's
// Ladder:      none: it is meant to be slow
extern "C" __global__ void __launch_bounds__(1) spin(unsigned* out, int turns)
{
    unsigned v = turns;
#pragma unroll 1
    for (int i = 0; i < turns; i++) v = v * 1664525u + 1013904223u;
    *out = v;
}
