import { spawnSync } from 'node:child_process'

/** A Python that has torch: the one on the path, else the system's. */
export function findPython(): string | undefined {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', 'import torch']).status === 0,
  )
}
