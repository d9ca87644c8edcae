export { type AlignedRow, alignRows, byteBoundaries } from './align-rows.ts'
export {
  buildProjection,
  type HeadWidths,
  type Projection,
  type SparseColumns,
} from './projection.ts'
export {
  type SparseTargets,
  sparseTargets,
  type TargetLimits,
  type TeacherTopK,
} from './sparse-targets.ts'
