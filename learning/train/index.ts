export type { BatchShape } from './batch-inputs.ts'
export { ForwardPass, type ForwardPassInit, type ForwardResult } from './forward-pass.ts'
export { linearSchedule, type Schedule } from './schedule.ts'
export {
  type Lesson,
  type StepResult,
  type TeacherShape,
  TrainStep,
  type TrainStepInit,
} from './train-step.ts'
export type { Trainee } from './trainee.ts'
