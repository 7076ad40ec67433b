// One running node a data_dir: a dead one's lock is taken over at once and by one only, a living one's never.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../runtime/clock.js'
import { lockFolder, lockHolder } from '../../runtime/wal/lock.js'
import { createFakeClock, settle } from './fake-clock.js'
import { tempFolder } from './folder.js'

const lockModule = new URL('../../runtime/wal/lock.js', import.meta.url).href
const clockModule = new URL('../../runtime/clock.js', import.meta.url).href

/** A process that takes the lock, prints how that went, and lives on until it is killed. */
function holder(test: TestContext, folder: string): { child: ChildProcess; said: Promise<string> } {
  const code = `
    const { lockFolder } = await import(${JSON.stringify(lockModule)})
    const { systemClock } = await import(${JSON.stringify(clockModule)})
    try {
      await lockFolder({ folder: ${JSON.stringify(folder)}, dataDir: '/data', clock: systemClock, epoch: 1 })
      console.log('locked')
    } catch (error) { console.log(error.code) }
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  test.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const said = once(child.stdout as NonNullable<typeof child.stdout>, 'data').then(([text]) =>
    String(text).trim(),
  )
  return { child, said }
}

const take = (folder: string, epoch = 1) =>
  lockFolder({ folder, dataDir: '/data', clock: systemClock, epoch })

test('a file system whose clock is hours behind ours does not keep a node from its lock', async (t) => {
  const folder = await tempFolder(t)
  const ahead = { ...systemClock, now: () => Date.now() + 7_200_000 }
  const lock = await lockFolder({ folder, dataDir: '/data', clock: ahead, epoch: 1 })
  assert.equal((await lockHolder(folder, systemClock))?.pid, process.pid)
  lock.release()
})

test('a running node keeps its lock; after kill -9 the next one gets it at once', async (t) => {
  const folder = await tempFolder(t)
  const { child, said } = holder(t, folder)
  assert.equal(await said, 'locked')
  await assert.rejects(take(folder), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'journal.locked')
    assert.match(error.message, new RegExp(`/data .*process ${child.pid}\\b.*node.data_dir`))
    return true
  })
  assert.equal((await lockHolder(folder, systemClock))?.pid, child.pid)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(await lockHolder(folder, systemClock), undefined)
  const lock = await take(folder)
  assert.equal(JSON.parse(await readFile(join(folder, 'LOCK'), 'utf8')).pid, process.pid)
  lock.release()
  assert.deepEqual(await readdir(folder), [])
})

test("of many that want a dead node's lock exactly one gets it", async (t) => {
  const folder = await tempFolder(t)
  const dead = holder(t, folder)
  await dead.said
  dead.child.kill('SIGKILL')
  await once(dead.child, 'exit')
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => holder(t, folder).said))
  assert.deepEqual(outcomes.sort(), ['journal.locked', 'journal.locked', 'journal.locked', 'locked'])
})

test('a pid that was given to another process does not keep a lock alive', async (t) => {
  const folder = await tempFolder(t)
  const lock = await take(folder)
  const identity = JSON.parse(await readFile(join(folder, 'LOCK'), 'utf8')) as Record<string, unknown>
  lock.release()
  // Our own pid, but a process that started earlier.
  await writeFile(join(folder, 'LOCK'), JSON.stringify({ ...identity, startTicks: '1' }))
  const again = await take(folder)
  again.release()
})

test('a claim that its maker did not live to use is passed over', async (t) => {
  const folder = await tempFolder(t)
  const lock = await take(folder)
  const identity = JSON.parse(await readFile(join(folder, 'LOCK'), 'utf8')) as { token: string }
  lock.release()
  const dead = (token: string) => JSON.stringify({ ...identity, token, startTicks: '1' })
  await writeFile(join(folder, 'LOCK'), dead('first'))
  await writeFile(join(folder, 'LOCK.first'), dead('second'))
  await writeFile(join(folder, 'LOCK.second'), dead('third'))
  const again = await take(folder)
  assert.deepEqual(await readdir(folder), ['LOCK'])
  again.release()
  // The same, but the last claimant lives: it is about to become the owner.
  await writeFile(join(folder, 'LOCK'), dead('first'))
  await writeFile(join(folder, 'LOCK.first'), JSON.stringify({ ...identity, token: 'living' }))
  await assert.rejects(take(folder), { code: 'journal.locked' })
})

test('within one process a later start succeeds an earlier one that crashed, not the other way round', async (t) => {
  const folder = await tempFolder(t)
  const crashed = await take(folder, 1)
  await assert.rejects(take(folder, 1), { code: 'journal.locked' })
  const later = await take(folder, 2)
  await assert.rejects(take(folder, 1), { code: 'journal.locked' })
  // The crashed one's release, should it still come, must not free what is not its own.
  crashed.release()
  assert.deepEqual(await readdir(folder), ['LOCK'])
  later.release()
})

test('a holder in another container is judged by its heartbeat', async (t) => {
  const folder = await tempFolder(t)
  const clock = createFakeClock()
  await writeFile(
    join(folder, 'LOCK'),
    JSON.stringify({ token: 'far', pid: 1, bootId: 'b', pidSpace: 'pid:[1]', startTicks: '5', epoch: 1 }),
  )
  const beating = lockFolder({ folder, dataDir: '/data', clock, epoch: 1 })
  const refused = assert.rejects(beating, { code: 'journal.locked' })
  await settle()
  const { utimes } = await import('node:fs/promises')
  await utimes(join(folder, 'LOCK'), new Date(5), new Date(5))
  await clock.advance(5000)
  await refused
  const resting = lockFolder({ folder, dataDir: '/data', clock, epoch: 1 })
  await settle()
  await clock.advance(5000)
  ;(await resting).release()
})

test('a node that has lost its lock while it stood still is told, and does not free the new one', async (t) => {
  const folder = await tempFolder(t)
  const clock = createFakeClock()
  let lost = 0
  const lock = await lockFolder({ folder, dataDir: '/data', clock, epoch: 1, lost: () => void lost++ })
  await clock.advance(3000)
  assert.equal(lost, 0)
  const later = await take(folder, 2)
  await clock.advance(3000)
  assert.equal(lost, 1)
  lock.release()
  assert.deepEqual(await readdir(folder), ['LOCK'])
  later.release()
})
