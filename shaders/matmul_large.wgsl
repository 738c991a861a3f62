// A matrix product in tiles of 128 x 128.

const SIDE = 16u;

#import "shared/matmul_wide.wgsl"
