import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { packagePath } from '#base'
import { meshPicture } from '../../tui/demo/mesh-picture.ts'
import { frameToSvg } from '../../tui/frame-to-svg.ts'

it('docs/images/mesh.svg is what the screens draw; if not: npx tsx --conditions=cotune-source tui/demo/draw.ts', () => {
  expect(readFileSync(packagePath('docs', 'images', 'mesh.svg'), 'utf8')).toBe(meshPicture())
})

it('places words by column, colours them and escapes them', () => {
  const svg = frameToSvg('ab  <c> \u001b[32mok\u001b[39m', 'a & b')
  expect(svg).toContain('<title>a &amp; b</title>')
  expect(svg).toContain('<text fill="#e6edf3" x="14" y="27" textLength="16.8">ab</text>')
  expect(svg).toContain('<text fill="#e6edf3" x="47.6" y="27" textLength="25.2">&lt;c></text>')
  expect(svg).toContain('<text fill="#7ee787" x="81.2" y="27" textLength="16.8">ok</text>')
})

it('draws braille, bars and borders as shapes', () => {
  const svg = frameToSvg('⠁█─', 'shapes')
  expect(svg).not.toContain('<text')
  expect(svg).toContain('d="M15 15h2.2v2.2h-2.2z')
  expect(svg).toMatch(/<path fill="none" stroke="#e6edf3" d="M35 23H30.8M35 23H39.2"\/>/)
})
