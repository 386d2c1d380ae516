/** The example of how a store is held to the contract holds the one in memory to it. */
import '../../../examples/store-contract/contract.test.ts';
