export type { BatchShape } from './batch-inputs.ts'
export {
  ForwardPass,
  type ForwardPassInit,
  type ForwardProgramInit,
  type ForwardResult,
  forwardProgram,
} from './forward-pass.ts'
export { linearSchedule, type Schedule } from './schedule.ts'
export { type TeacherShape, type TrainProgramInit, trainProgram } from './train-program.ts'
export { type Lesson, type StepResult, TrainStep, type TrainStepInit } from './train-step.ts'
export type { Trainee } from './trainee.ts'
