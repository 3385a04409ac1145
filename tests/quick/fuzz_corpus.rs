//! Every kept input of every fuzzer, through what the fuzzer does with it. No fuzzer is built for this.
//!
//! The fuzzers are a package of their own (`fuzz/`, on the stable toolchain).

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

#[test]
fn what_the_fuzzers_have_found_still_holds() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, fuzzer) in fuzz::ALL {
        let mut inputs = 0;
        for entry in std::fs::read_dir(corpus.join(name)).unwrap() {
            fuzzer(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        println!("{name}: {inputs} inputs");
        assert!(inputs >= 10, "the corpus of {name} is lost");
    }
}
