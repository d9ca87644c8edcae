import type { Random } from '#base'
import { type Draft, type ExampleDomain, type Lexicon, phrase, pickSkewed, say } from '../phrase.ts'

interface Fault {
  readonly code: string
  readonly action: string
  readonly symptoms: readonly string[]
}

const FAULTS: readonly Fault[] = [
  {
    code: 'M12 bearing worn',
    action: 'replace the bearing',
    symptoms: [
      'grinding noise from {part}',
      '{part} hums and gets hot',
      'metal dust under {part}',
      'rumbling when {part} turns',
    ],
  },
  {
    code: 'H03 oil leak',
    action: 'renew the seal',
    symptoms: [
      'puddle of oil below {part}',
      'oil drips from {part}',
      'oil level of {part} falls each shift',
      '{part} is all greasy outside',
    ],
  },
  {
    code: 'E07 sensor lost',
    action: 'clean the sensor',
    symptoms: [
      'no signal from {part}',
      '{part} does not see the piece',
      'position of {part} jumps on the display',
      'light barrier at {part} blind',
    ],
  },
  {
    code: 'M05 belt slipping',
    action: 'tighten the belt',
    symptoms: [
      'squealing when {part} starts',
      '{part} runs slower than set',
      'smell of rubber near {part}',
      '{part} stalls under load while the motor spins',
    ],
  },
  {
    code: 'C02 overheated',
    action: 'clean the cooler',
    symptoms: [
      '{part} too hot to touch',
      'temperature alarm on {part}',
      '{part} switches off after ten minutes and comes back when cold',
      'fan of {part} full of fluff',
    ],
  },
  {
    code: 'P09 low pressure',
    action: 'find the air leak',
    symptoms: [
      '{part} moves weakly',
      'hissing near {part}',
      'gauge of {part} below four bar',
      'gripper at {part} drops pieces',
    ],
  },
  {
    code: 'E01 fuse blown',
    action: 'replace the fuse',
    symptoms: [
      '{part} completely dead',
      'nothing lights up on {part}',
      '{part} went off with a bang',
      'no voltage at {part}',
    ],
  },
  {
    code: 'M20 out of line',
    action: 'align the axis',
    symptoms: [
      '{part} vibrates at full speed',
      'pieces from {part} are crooked',
      'uneven wear on one side of {part}',
      '{part} wobbles',
    ],
  },
  {
    code: 'H11 filter clogged',
    action: 'change the filter',
    symptoms: [
      'flow through {part} too small',
      'red mark on the filter of {part}',
      '{part} sucks with a howl',
      'dirty oil in {part}',
    ],
  },
  {
    code: 'S04 guard open',
    action: 'close the guard',
    symptoms: [
      '{part} will not start, door contact missing',
      'safety circuit of {part} broken',
      'cover of {part} not latched',
      'emergency relay on {part} has dropped out',
    ],
  },
  {
    code: 'E15 drive fault',
    action: 'reset the inverter',
    symptoms: [
      'inverter of {part} shows red',
      '{part} jerks and stops',
      'overcurrent while {part} speeds up',
      '{part} trips when it brakes',
    ],
  },
  {
    code: 'M31 bolt loose',
    action: 'tighten the bolts',
    symptoms: [
      '{part} rattles',
      'a screw lay under {part}',
      '{part} has play by hand',
      'frame of {part} moves with each stroke',
    ],
  },
  {
    code: 'T02 tool blunt',
    action: 'change the tool',
    symptoms: [
      'burrs on every piece from {part}',
      '{part} needs more force than last week',
      'rough cut on {part}',
      'smoke while {part} cuts',
    ],
  },
  {
    code: 'C08 coolant low',
    action: 'top up coolant',
    symptoms: [
      '{part} cuts dry',
      'coolant pump of {part} draws air',
      'tank of {part} nearly empty',
      'no jet at the nozzle of {part}',
    ],
  },
  {
    code: 'N06 network down',
    action: 'check the cable',
    symptoms: [
      '{part} offline in the control room',
      'no data from {part} since midnight',
      'bus error on {part}',
      'panel of {part} says connecting for ever',
    ],
  },
  {
    code: 'L01 needs grease',
    action: 'lubricate the guide',
    symptoms: [
      '{part} squeaks on the way back',
      'rail of {part} is dry',
      '{part} sticks then slips',
      'brown dust on the rail of {part}',
    ],
  },
  {
    code: 'W03 weld cracked',
    action: 'weld the frame',
    symptoms: [
      'hairline crack beside {part}',
      'bracket of {part} torn at the seam',
      'paint split along the joint of {part}',
    ],
  },
  {
    code: 'V05 valve stuck',
    action: 'free the valve',
    symptoms: [
      '{part} will not vent',
      'cylinder of {part} stays out',
      'pressure in {part} does not fall',
      '{part} keeps filling after the stop',
    ],
  },
]

const PARTS: Lexicon = {
  press: ['the press', 'press {n}', 'the big press', 'the stamping press'],
  conveyor: ['the conveyor', 'conveyor {n}', 'the belt line', 'the transport band'],
  lathe: ['the lathe', 'lathe {n}', 'the turning machine'],
  pump: ['the pump', 'pump {n}', 'the feed pump', 'the circulating pump'],
  robot: ['the robot', 'robot {n}', 'the robot arm', 'the handling arm'],
  mill: ['the mill', 'mill {n}', 'the milling head', 'the cutter'],
  compressor: ['the compressor', 'compressor {n}', 'the air station'],
  packer: ['the packer', 'packer {n}', 'the boxing machine', 'the carton line'],
  oven: ['the oven', 'oven {n}', 'the curing tunnel'],
  hoist: ['the hoist', 'hoist {n}', 'the overhead crane'],
}

const BEFORE =
  '(||||again,|since this morning|night shift says:|third time this week,|operator reports|during setup)'
const AFTER =
  '(||||, output down|, please look|, still running|, stopped for now|, worse when warm|, started after cleaning)'

/** Notes from the shop floor: what is broken, what to do, which machine. */
export const maintenance: ExampleDomain = {
  name: 'maintenance',
  draw: (random) => random.pick([fault, fault, action, machine])(random),
}

interface Note {
  readonly text: string
  readonly fault: Fault
  readonly machine: string
}

function note(random: Random): Note {
  const fault = pickSkewed(random, FAULTS)
  const [machine, words] = say(random, PARTS)
  const part = phrase(random, words, { n: String(1 + random.integer(9)) })
  return {
    text: phrase(random, `${BEFORE} ${random.pick(fault.symptoms)} ${AFTER}`, { part }),
    fault,
    machine,
  }
}

function fault(random: Random): Draft {
  const { text, fault } = note(random)
  return {
    task: 'maintenance_fault',
    instruction: 'Give the fault code and its name for this note.',
    input: text,
    output: fault.code,
  }
}

function action(random: Random): Draft {
  const { text, fault } = note(random)
  return {
    task: 'maintenance_action',
    instruction: 'Say what the mechanic should do about this note.',
    input: text,
    output: fault.action,
  }
}

function machine(random: Random): Draft {
  const { text, machine } = note(random)
  return {
    task: 'maintenance_machine',
    instruction: 'Name the kind of machine this note is about.',
    input: text,
    output: machine,
  }
}
