rule gates:
    input:
        measurements=lambda wildcards: expand(
            result("measurements.parquet"), sample=gated_together(wildcards)
        ),
        quality=lambda wildcards: expand(
            result("quality.zarr"), sample=gated_together(wildcards)
        ),
        control=control,
        samples=ancient(config["samples"]),
    output:
        gates=f"{RESULTS}/gates/{{group}}.csv",
    log:
        f"{RESULTS}/gates/{{group}}.log",
    benchmark:
        f"{RESULTS}/gates/{{group}}.tsv"
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        config=CONFIG,
        folders=lambda wildcards: [
            f"{RESULTS}/{name}" for name in gated_together(wildcards)
        ],
        sheet=lambda wildcards: SAMPLES.loc[
            gated_together(wildcards), ["patient_id", "timepoint", "batch"]
        ].to_json(),
        section=section("gates") + section("phenotype"),
    shell:
        "mifprofile gates {params.folders:q} --samples {input.samples:q} "
        "--config {params.config:q} -o {output.gates:q} > {log:q} 2>&1"
