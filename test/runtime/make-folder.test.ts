// Guards the making of folders: what was made is told, and what the system refuses is thrown where Node's own call would spin.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { makeFolder } from '../../runtime/make-folder.js'

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-folder-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('the first folder that was made is named, so that its entry can be synced', () => {
  const deep = path.join(folder, 'a', 'b', 'c')
  assert.equal(makeFolder(deep, 0o750), path.join(folder, 'a'))
  assert.equal(statSync(deep).mode & 0o777, 0o750)
  assert.equal(makeFolder(deep), undefined)
  assert.equal(makeFolder(path.join(deep, 'd')), path.join(deep, 'd'))
})

test('a folder that cannot be made is told with the code of the system', () => {
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  assert.throws(() => makeFolder(file), { code: 'EEXIST' })
  assert.throws(() => makeFolder(path.join(file, 'x')), { code: /^(?:ENOTDIR|EEXIST)$/ })
  if (existsSync('/proc/self')) assert.throws(() => makeFolder('/proc/millrace/x'), { code: 'ENOENT' })
})
