import { mkdirSync, writeFileSync } from 'node:fs'
import { packagePath } from '#base'
import { meshPicture } from './mesh-picture.ts'

// Draws docs/images/mesh.svg anew: npx tsx --conditions=cotune-source tui/demo/draw.ts
mkdirSync(packagePath('docs', 'images'), { recursive: true })
writeFileSync(packagePath('docs', 'images', 'mesh.svg'), meshPicture())
