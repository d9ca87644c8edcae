export { exactMatch } from './exact-match.ts'
export { rougeL } from './rouge-l.ts'
export { type PredictionScores, scorePredictions } from './score-predictions.ts'
