/** What an operation of the C ABI is to the device, and the numbers its arguments become. */
import type { Float, OpName, Ops, Profile, Tensor } from "@halfbyte/core";
import { dtypeNumbers, profileNumbers } from "./abi.js";
import type { NativeDevice } from "./native-device.js";

export interface NativeOperation<K extends OpName> {
  /** Of the C function, without hb_. */
  readonly name: string;
  /** The name under which the library states the variant, when it is not `name`. */
  variant?(args: Ops[K]["in"]): string;
  /** What else tells variants apart. */
  traits?(args: Ops[K]["in"], device: NativeDevice): readonly string[];
  /** Why the library cannot run these arguments; looks at shapes, dtypes and options alone. */
  refuse?(args: Ops[K]["in"], device: NativeDevice): string | undefined;
  launch(device: NativeDevice, args: Ops[K]["in"], out: Ops[K]["out"]): undefined | (() => Promise<void>);
}

export const dtypeOf = (tensor: Tensor<Float>): number => dtypeNumbers[tensor.dtype];
/** Of a bias that is not there: no kernel looks at it. */
export const biasDtype = (bias: Tensor<Float> | undefined): number => (bias ? dtypeOf(bias) : dtypeNumbers.float32);

export const profileOf = (profile: Profile = "reference"): number => profileNumbers[profile as Exclude<Profile, "cpu">];

export const refuseCpuProfile = ({ profile }: { readonly profile?: Profile }): string | undefined =>
  profile === "cpu" ? 'profile "cpu" exists in the reference kernels only.' : undefined;
