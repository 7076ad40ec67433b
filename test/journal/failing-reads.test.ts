// A disk that refuses to be read for a moment: what it holds is whole, so nothing of it may be given up.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { open, readAll, tempFolder, watch } from './folder.js'
import { frame } from './frames.js'

test('a frame that could not be read at first is read, and not taken for a corrupt one', async (t) => {
  const folder = await tempFolder(t)
  const observer = watch()
  const wal = await open(folder, { observer })
  for (let n = 0; n < 3; n++) await wal.append([frame(`f${n}`)])
  const read = fs.read
  let refused = 0
  t.mock.method(fs, 'read', (...args: unknown[]) => {
    if (refused++ >= 3) return Reflect.apply(read, fs, args) as unknown
    const callback = args.at(-1) as (error: Error) => void
    return void setImmediate(() =>
      callback(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })),
    )
  })
  const found = await readAll(wal)
  await wal.close()
  assert.deepEqual([...found.values()], ['f0', 'f1', 'f2'])
  assert.deepEqual(observer.places, [])
  assert.ok(refused > 3)
})
