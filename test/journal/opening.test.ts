// A journal that can not be opened: what a later start of the thread may mend is told apart from what only the operator can.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../protocol/errors.js'
import { nodeFiles, type WalFiles } from '../../runtime/wal/files.js'
import { tempFolder } from './folder.js'
import { run } from './harness.js'

function failing(code: string): WalFiles {
  const error = Object.assign(new Error(`${code}: said by the disk`), { code })
  return { ...nodeFiles, list: () => Promise.reject(error) }
}

for (const [system, expected, way] of [
  ['ENOSPC', 'journal.disk', 'free space'],
  ['EIO', 'journal.disk', 'see what ails it'],
  ['EMFILE', 'journal.disk', 'see what ails it'],
  ['EACCES', 'journal.directory', 'give node.data_dir a folder'],
  ['EROFS', 'journal.directory', 'give node.data_dir a folder'],
] as const) {
  test(`${system} as the journal opens is ${expected}, names the folder and the way out, and leaves no lock behind`, async (t) => {
    const folder = await tempFolder(t)
    await assert.rejects(run(t, folder, { files: failing(system) }), (error: unknown) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, expected)
      for (const part of [folder, system, way]) assert.ok(error.message.includes(part), error.message)
      return true
    })
    const journal = await run(t, folder)
    await journal.stop()
  })
}
