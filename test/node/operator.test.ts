// What an operator tells a running node through the real command line: it is done, or it is said why not, and the node lives on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeStatus } from '../../protocol/status.js'
import { demandNoStack, openDesk } from './desk.js'

const CONFIG = `node: { data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log], poll: 20ms } }
backends: { vault: { type: archive, path: ./archive } }
`

test('a node that is restarted by hand, boosted, and told to reload a file that is wrong', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  desk.write('m.yaml', CONFIG)
  desk.write('logs/a.log', '{"level":"info","msg":"hello"}\n')
  const node = desk.start('run', '-c', 'm.yaml')
  await node.address()
  const ctl = (...words: string[]) => desk.run('ctl', ...words, '-c', 'm.yaml')

  const boosted = await ctl('boost', '--service', 'cart', '--for', '20m')
  assert.match(boosted.stdout, /^everything of service cart is kept until 20\S+Z\n$/)
  const shorter = await ctl('boost', '--service', 'cart', '--for', '5m', '--json')
  const { until } = JSON.parse(shorter.stdout) as { until: string }
  assert.ok(Date.parse(until) - Date.now() <= 5 * 60_000, until)
  assert.equal(
    (await ctl('boost', '--service', 'cart', '--for', '0s')).stdout,
    'the boost of service cart has ended\n',
  )

  desk.write('m.yaml', `${CONFIG}jurnal: {}\n`)
  const reload = await ctl('reload')
  assert.notEqual(reload.code, 0)
  assert.match(
    reload.stderr,
    /^millrace: warning: the configuration has a mistake.*\n(?:.*\n)*?millrace: .*jurnal/,
  )
  demandNoStack(reload, 'reload')
  await node.said(/reload refused, nothing changed/)

  // More often than crashes would be forgiven.
  for (let n = 1; n <= 6; n++) {
    assert.equal((await ctl('restart', 'parse')).code, 0)
    for (let restarts = 0; restarts < n; ) {
      const { groups } = JSON.parse((await ctl('status', '--json')).stdout) as NodeStatus
      restarts = Math.max(...Object.values(groups).map((group) => (group.up ? group.restarts : 0)))
    }
  }
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
})
