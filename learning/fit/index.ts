export { type Fit, type FitInit, type FitMutual, type FitOption, fitStep } from './fit-step.ts'
export { type StepMemory, type StepSettings, stepMemory } from './step-memory.ts'
