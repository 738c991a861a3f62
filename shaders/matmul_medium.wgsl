// A matrix product in tiles of 64 x 64.

const SIDE = 8u;

#import "shared/matmul_wide.wgsl"
