export { type AlignedRow, alignRows } from './byte-boundaries.ts'
export { buildProjections, type Projection, type Projections } from './projection.ts'
export { type SparseTargets, type SparseTargetsInit, sparseTargets } from './sparse-targets.ts'
